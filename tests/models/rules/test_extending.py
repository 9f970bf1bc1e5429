from datetime import UTC, datetime, timedelta

import pytest

from models.rules.booking import OPEN_STATES, BookingState
from models.rules.extending import extension_obstacle

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("state", BookingState)
def test_only_an_open_session_can_be_made_longer(state):
    obstacle = extension_obstacle(state, LATER, NOW, 0, 2, is_awaited=False)
    assert bool(obstacle) is (state not in OPEN_STATES)


@pytest.mark.parametrize("state", OPEN_STATES)
@pytest.mark.parametrize(
    ("ends_at", "told"),
    [
        (NOW + timedelta(microseconds=1), ""),
        (NOW, "is over"),
        (NOW - timedelta(hours=5), "is over"),
        (None, "no open session"),
    ],
)
def test_only_before_its_end_can_a_session_be_made_longer(state, ends_at, told):
    obstacle = extension_obstacle(state, ends_at, NOW, 0, 2, is_awaited=False)
    assert told in obstacle
    assert bool(obstacle) is bool(told)


@pytest.mark.parametrize(
    ("extensions", "limit", "is_awaited", "told"),
    [
        (0, 2, False, ""),
        (1, 2, False, ""),
        (1, 1, False, "once already"),
        (2, 2, False, "2 times already"),
        (3, 2, False, "3 times already"),
        (0, 0, False, "fixed length"),
        (0, 2, True, "Somebody waits"),
        (2, 2, True, "2 times"),
    ],
)
def test_the_obstacle_is_told(extensions, limit, is_awaited, told):
    obstacle = extension_obstacle(BookingState.READY, LATER, NOW, extensions, limit, is_awaited=is_awaited)
    assert told in obstacle
    assert bool(obstacle) is bool(told)

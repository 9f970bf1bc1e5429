"""What the tests of seats share: a few seats on this machine, in both kinds of isolation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from seat_samples import Seats, ensure, seats_on_this_machine, skip_unless_possible


@pytest.fixture(params=["accounts", "folders"])
def empty(request: pytest.FixtureRequest) -> Iterator[Seats]:
    """Yield a platform's folder of seats before any is made."""
    skip_unless_possible(request.param)
    with seats_on_this_machine(request.param) as seats:
        yield seats


@pytest.fixture
async def seats(empty: Seats) -> Seats:
    """Return seats that are made and closed."""
    await ensure(empty)
    return empty

from datetime import UTC, datetime, timedelta

import pytest

from models.errors import Refused
from models.rules.booking import (
    FINAL_STATES,
    TRANSITIONS,
    BookingEvent,
    BookingState,
    MailKind,
    Work,
    due_work,
    reminder_time,
    retry_delay,
    session_end,
    transition,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

MAILS = [
    (BookingState.PREPARING, BookingEvent.OPEN, BookingState.READY, MailKind.CREDENTIALS),
    (BookingState.READY, BookingEvent.REMIND, BookingState.EXPIRING, MailKind.REMINDER),
    (BookingState.READY, BookingEvent.EXTEND, BookingState.READY, None),
    (BookingState.EXPIRING, BookingEvent.EXTEND, BookingState.READY, None),
    (BookingState.ENDING, BookingEvent.RELEASE, BookingState.ENDED, MailKind.THANKS),
    (BookingState.ABANDONING, BookingEvent.RELEASE, BookingState.FAILED, MailKind.APOLOGY),
]


@pytest.mark.parametrize(("state", "event", "to", "mail"), MAILS)
def test_mail_goes_with_its_transition(state, event, to, mail):
    step = transition(state, event)
    assert (step.to, step.mail) == (to, mail)


@pytest.mark.parametrize("state", BookingState)
def test_every_state_reaches_a_final_one_and_final_ones_stay(state):
    after = {step.to for (origin, _), step in TRANSITIONS.items() if origin is state}
    if state in FINAL_STATES:
        assert not after
        return
    reached = {state}
    for _ in BookingState:
        reached |= {step.to for (origin, _), step in TRANSITIONS.items() if origin in reached}
    assert reached & FINAL_STATES


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (BookingState.ENDED, BookingEvent.PREPARE),
        (BookingState.FAILED, BookingEvent.OPEN),
        (BookingState.RESERVED, BookingEvent.OPEN),
        (BookingState.READY, BookingEvent.GIVE_UP),
        (BookingState.ENDING, BookingEvent.EXPIRE),
    ],
)
def test_what_the_table_does_not_hold_is_refused(state, event):
    with pytest.raises(Refused) as refusal:
        transition(state, event)
    assert refusal.value.reason == "transition_not_allowed"
    assert state in refusal.value.message


@pytest.mark.parametrize(
    ("state", "ends_at", "work"),
    [
        (BookingState.RESERVED, None, Work.SERVE),
        (BookingState.PREPARING, None, Work.SERVE),
        (BookingState.READY, NOW + HOUR, Work.REMIND),
        (BookingState.READY, NOW, Work.END),
        (BookingState.READY, NOW - HOUR, Work.END),
        (BookingState.EXPIRING, NOW, Work.END),
        (BookingState.ENDING, NOW, Work.END),
        (BookingState.ABANDONING, None, Work.ABANDON),
        (BookingState.ENDED, NOW, None),
        (BookingState.FAILED, None, None),
    ],
)
def test_due_work(state, ends_at, work):
    assert due_work(state, ends_at, NOW) is work


@pytest.mark.parametrize(
    ("duration_hours", "hour_seconds", "reminder_after"),
    [
        (4, 3600, 3 * HOUR),
        (2, 3600, HOUR),
        (1, 3600, HOUR / 2),
        (0.5, 3600, HOUR / 4),
        (4, 10, timedelta(seconds=30)),
    ],
)
def test_reminder_comes_an_hour_before_the_end_and_never_before_the_half(
    duration_hours, hour_seconds, reminder_after
):
    ends_at = session_end(NOW, duration_hours, hour_seconds)
    assert ends_at - NOW == timedelta(seconds=duration_hours * hour_seconds)
    assert reminder_time(ends_at, NOW, 1, hour_seconds) == NOW + reminder_after


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (2, 4), (5, 32), (6, 60), (1000, 60)])
def test_retries_wait_longer_each_time_up_to_a_limit(attempts, seconds):
    assert retry_delay(attempts, 2, 60) == timedelta(seconds=seconds)

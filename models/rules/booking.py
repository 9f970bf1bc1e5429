"""The life of a booking: one table of states, what moves it on, and which mail goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.errors import Refused


class BookingState(StrEnum):
    """Where a booking is. A seat belongs to a booking in any state but ENDED and FAILED."""

    RESERVED = "reserved"  # a seat is taken; nobody works on it yet
    PREPARING = "preparing"  # an engine makes the seat ready
    READY = "ready"  # the account works and the clock runs
    EXPIRING = "expiring"  # the student was reminded that the end is near
    ENDING = "ending"  # locked out; being measured, archived and wiped
    ENDED = "ended"  # the seat is free again
    ABANDONING = "abandoning"  # preparing failed for good; the seat is being wiped
    FAILED = "failed"  # apologised for; the seat is free again


class BookingEvent(StrEnum):
    """What moves a booking from one state to the next."""

    PREPARE = "prepare"
    OPEN = "open"
    REMIND = "remind"
    EXTEND = "extend"
    EXPIRE = "expire"
    LEAVE = "leave"
    RELEASE = "release"
    GIVE_UP = "give_up"


class MailKind(StrEnum):
    """The mails of a booking, each sent at most once in a round of it, and those of a place in a line."""

    WELCOME = "welcome"
    CREDENTIALS = "credentials"
    REMINDER = "reminder"
    THANKS = "thanks"
    APOLOGY = "apology"
    SPECIAL_BADGE = "special_badge"
    WAITING = "waiting"
    OFFER = "offer"
    OFFER_MISSED = "offer_missed"
    LINE_CLOSED = "line_closed"


class Work(StrEnum):
    """What an engine has to do for a booking whose time has come."""

    SERVE = "serve"
    REMIND = "remind"
    END = "end"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Transition:
    """The state that an event leads to, and the mail written in the same transaction."""

    to: BookingState
    mail: MailKind | None = None


_S, _E = BookingState, BookingEvent

TRANSITIONS: dict[tuple[BookingState, BookingEvent], Transition] = {
    (_S.RESERVED, _E.PREPARE): Transition(_S.PREPARING),
    (_S.RESERVED, _E.LEAVE): Transition(_S.ENDING),
    (_S.RESERVED, _E.GIVE_UP): Transition(_S.ABANDONING),
    (_S.PREPARING, _E.OPEN): Transition(_S.READY, MailKind.CREDENTIALS),
    (_S.PREPARING, _E.LEAVE): Transition(_S.ENDING),
    (_S.PREPARING, _E.GIVE_UP): Transition(_S.ABANDONING),
    (_S.READY, _E.REMIND): Transition(_S.EXPIRING, MailKind.REMINDER),
    (_S.READY, _E.EXTEND): Transition(_S.READY),
    (_S.READY, _E.EXPIRE): Transition(_S.ENDING),
    (_S.READY, _E.LEAVE): Transition(_S.ENDING),
    (_S.EXPIRING, _E.EXTEND): Transition(_S.READY),
    (_S.EXPIRING, _E.EXPIRE): Transition(_S.ENDING),
    (_S.EXPIRING, _E.LEAVE): Transition(_S.ENDING),
    (_S.ENDING, _E.RELEASE): Transition(_S.ENDED, MailKind.THANKS),
    (_S.ABANDONING, _E.RELEASE): Transition(_S.FAILED, MailKind.APOLOGY),
}

FIRST_MAIL = MailKind.WELCOME
FINAL_STATES = frozenset({BookingState.ENDED, BookingState.FAILED})
OPEN_STATES = frozenset({BookingState.READY, BookingState.EXPIRING})

_WORK = {
    BookingState.RESERVED: Work.SERVE,
    BookingState.PREPARING: Work.SERVE,
    BookingState.EXPIRING: Work.END,
    BookingState.ENDING: Work.END,
    BookingState.ABANDONING: Work.ABANDON,
}


def transition(state: BookingState, event: BookingEvent) -> Transition:
    """Return where `event` leads from `state`; refuse what the table doesn't hold."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Refused(
            f"A booking that is {state} can't {event.replace('_', ' ')}.", reason="transition_not_allowed"
        ) from None


def due_work(state: BookingState, ends_at: datetime | None, now: datetime) -> Work | None:
    """Return what an engine has to do at `now` for a booking that is due, None when nothing is left to do.

    A READY booking is reminded first; when its end has already come, it is ended without a reminder.
    """
    if state is BookingState.READY:
        return Work.END if ends_at is not None and ends_at <= now else Work.REMIND
    return _WORK.get(state)


def session_end(opened_at: datetime, duration_hours: float, hour_seconds: float) -> datetime:
    """Return when a session that opens at `opened_at` ends; the clock starts when the seat is ready."""
    return opened_at + timedelta(seconds=duration_hours * hour_seconds)


def reminder_time(ends_at: datetime, opened_at: datetime, reminder_hours: float, hour_seconds: float) -> datetime:
    """Return when to remind of an end; a session not longer than the notice is reminded at its half."""
    notice = timedelta(seconds=reminder_hours * hour_seconds)
    return max(ends_at - notice, opened_at + (ends_at - opened_at) / 2)


def retry_delay(attempts: int, first_seconds: float, longest_seconds: float) -> timedelta:
    """Return how long to wait after the given number of failed attempts (1 or more): doubling, bounded."""
    return timedelta(seconds=min(longest_seconds, first_seconds * 2 ** min(attempts - 1, 30)))

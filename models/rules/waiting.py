"""The line for a workshop that is full: what becomes of a place in it, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.errors import Refused
from models.rules.booking import MailKind


class WaitingState(StrEnum):
    """Where somebody who waits is. Only WAITING and OFFERED are in the line."""

    WAITING = "waiting"  # the next free seat is for whoever waits longest
    OFFERED = "offered"  # a seat is kept for a while, to be taken or not
    BOOKED = "booked"  # the offer became a booking
    LEFT = "left"  # given up by the student
    EXPIRED = "expired"  # the offer was not taken in time
    CLOSED = "closed"  # the workshop is in the catalog no more


class WaitingEvent(StrEnum):
    """What moves a place in the line on."""

    OFFER = "offer"
    TAKE = "take"
    LEAVE = "leave"
    EXPIRE = "expire"
    CLOSE = "close"


@dataclass(frozen=True)
class WaitingStep:
    """The state that an event leads to, and the mail written in the same transaction."""

    to: WaitingState
    mail: MailKind | None = None


_S, _E = WaitingState, WaitingEvent

WAITING_STEPS: dict[tuple[WaitingState, WaitingEvent], WaitingStep] = {
    (_S.WAITING, _E.OFFER): WaitingStep(_S.OFFERED, MailKind.OFFER),
    (_S.WAITING, _E.LEAVE): WaitingStep(_S.LEFT),
    (_S.WAITING, _E.CLOSE): WaitingStep(_S.CLOSED, MailKind.LINE_CLOSED),
    (_S.OFFERED, _E.TAKE): WaitingStep(_S.BOOKED),
    (_S.OFFERED, _E.LEAVE): WaitingStep(_S.LEFT),
    (_S.OFFERED, _E.EXPIRE): WaitingStep(_S.EXPIRED, MailKind.OFFER_MISSED),
    (_S.OFFERED, _E.CLOSE): WaitingStep(_S.CLOSED, MailKind.LINE_CLOSED),
}

IN_LINE = frozenset({WaitingState.WAITING, WaitingState.OFFERED})


def waiting_step(state: WaitingState, event: WaitingEvent) -> WaitingStep:
    """Return where `event` leads from `state`; refuse what the table doesn't hold."""
    try:
        return WAITING_STEPS[state, event]
    except KeyError:
        raise Refused(
            f"A place in the line that is {state} can't be changed by: {event}.", reason="transition_not_allowed"
        ) from None


@dataclass(frozen=True)
class Room:
    """What a workshop has to give: how many may take it at once and do, and how many are in its line.

    `offered` are seats that are kept for people of its line, `waiting` those who have no offer yet.
    """

    capacity: int
    running: int
    offered: int = 0
    waiting: int = 0

    def for_others(self, free_seats: int) -> int:
        """Return how many of the free seats, offered ones not among them, are for people who come now.

        Those who wait come first.
        """
        return max(0, min(self.capacity - self.running - self.offered, free_seats) - self.waiting)

    @property
    def is_awaited(self) -> bool:
        """Whether its line takes the next seat of its range: somebody waits, and may take the workshop."""
        return self.waiting > 0 and self.capacity - self.running - self.offered > 0


@dataclass(frozen=True)
class SeatRange:
    """The numbers of the seats that a workshop uses, both ends included."""

    first: int
    last: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

"""Free seats in SQL, and the lines of people who wait for them: who waits comes first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.waiting import Room, SeatRange, WaitingState
from models.store.predicates import is_in_line, is_on_offer, is_unfinished, running_count
from models.tables import Backend, Booking, Seat, WaitingEntry, Workshop


class SeatTaken(Exception):
    """Two people met at one seat; the transaction is lost and can simply be begun anew."""


@dataclass(frozen=True)
class Line:
    """A workshop on offer that people wait for, or that seats are offered of."""

    seats: SeatRange
    room: Room


async def lines(session: AsyncSession) -> dict[int, Line]:
    """Return the lines by the ids of their workshops; most have none, and are not among them."""
    rows = await session.execute(
        select(Workshop, running_count(), _count_of(WaitingState.OFFERED), _count_of(WaitingState.WAITING))
        .join(WaitingEntry, col(WaitingEntry.workshop_id) == col(Workshop.id))
        .where(
            is_in_line(),
            is_on_offer(),
        )
        .group_by(col(Workshop.id))
    )
    return {
        workshop.id: Line(
            SeatRange(workshop.seat_first, workshop.seat_last),
            Room(workshop.capacity, taken, offered=offered, waiting=waiting),
        )
        for workshop, taken, offered, waiting in rows
        if workshop.id is not None
    }


def awaited_ranges(found: dict[int, Line], workshop_id: int | None) -> list[SeatRange]:
    """Return the ranges of the lines that take the next free seat, that of one workshop aside."""
    return [line.seats for key, line in found.items() if key != workshop_id and line.room.is_awaited]


def is_free() -> ColumnElement[bool]:
    """Return the condition that nobody holds a seat and none is offered it, and that its backend gives it out."""
    return and_(
        col(Seat.retired).is_(False), col(Backend.ready_at).is_not(None), not_(_is_held()), not_(_is_offered())
    )


async def count_free_seats(session: AsyncSession, workshop: Workshop, kept: Collection[SeatRange]) -> int:
    """Count the free seats of a workshop, those in the ranges that are `kept` for others aside."""
    count = await session.scalar(
        select(func.count(col(Seat.id)))
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .where(_in_range(workshop, kept), is_free())
    )
    return count or 0


async def lock_free_seat(session: AsyncSession, workshop: Workshop, kept: Collection[SeatRange]) -> Seat | None:
    """Lock the free seat of the workshop that was used least, on the backend that is least in use.

    Rows locked by others are passed over, and seats in the ranges that are `kept` for others.

    Raises:
        SeatTaken: somebody took the seat, or was offered it, at the same moment.

    """
    unfinished = (col(Booking.seat_id) == col(Seat.id)) & is_unfinished()
    load = (
        select(
            col(Seat.backend_id).label("backend_id"),
            (func.count(col(Booking.id)) * 1.0 / func.count(col(Seat.id))).label("share"),
        )
        .outerjoin(Booking, unfinished)
        .where(col(Seat.retired).is_(False))
        .group_by(col(Seat.backend_id))
        .subquery()
    )
    seat: Seat | None = await session.scalar(
        select(Seat)
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .join(load, load.c.backend_id == col(Seat.backend_id))
        .where(_in_range(workshop, kept), is_free())
        .order_by(load.c.share, col(Seat.generation), col(Backend.number), col(Seat.number))
        .limit(1)
        .with_for_update(of=Seat, skip_locked=True)
    )
    # An offer that came between the look and the lock leaves no mark on the seat's row. From now on none can.
    if seat is not None and await session.scalar(
        select(col(Seat.id)).where(col(Seat.id) == seat.id, or_(_is_held(), _is_offered()))
    ):
        raise SeatTaken
    return seat


def _in_range(workshop: Workshop, kept: Collection[SeatRange]) -> ColumnElement[bool]:
    others = [not_(col(Seat.number).between(each.first, each.last)) for each in kept]
    return and_(col(Seat.number).between(workshop.seat_first, workshop.seat_last), *others)


def _is_held() -> ColumnElement[bool]:
    return exists().where(col(Booking.seat_id) == col(Seat.id), is_unfinished()).correlate(Seat)


def _is_offered() -> ColumnElement[bool]:
    return (
        exists()
        .where(col(WaitingEntry.seat_id) == col(Seat.id), col(WaitingEntry.state) == WaitingState.OFFERED)
        .correlate(Seat)
    )


def _count_of(state: WaitingState) -> ColumnElement[Any]:
    return func.count().filter(col(WaitingEntry.state) == state.value)

"""Bookings and seats in SQL as programs for the existing system list them. It reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.booking import BookingEvent
from models.store.bookings import BookingDetails
from models.store.predicates import is_unfinished, is_unfinished_of
from models.tables import Backend, BadgeAward, Booking, BookingLog, Seat, Workshop


@dataclass(frozen=True)
class BookingRecord:
    """A booking; `was_left`: it was ended before its time; `rung` is the student's highest, 0 for none."""

    found: BookingDetails
    was_left: bool
    rung: int


@dataclass(frozen=True)
class SeatRecord:
    """A seat, and whether a booking holds it."""

    seat: Seat
    backend: Backend
    is_held: bool


async def booking_records(session: AsyncSession, *, limit: int, before: int | None) -> list[BookingRecord]:
    """Return the newest `limit` bookings, of those with an id below `before`, oldest first.

    Bookings of students who are forgotten are left out, here as below.
    """
    statement = _bookings().order_by(col(Booking.id).desc()).limit(limit)
    if before is not None:
        statement = statement.where(col(Booking.id) < before)
    rows = list(await session.execute(statement))
    return [_record(row) for row in reversed(rows)]


async def booking_record(session: AsyncSession, booking_id: int) -> BookingRecord | None:
    """Return a booking by its id."""
    row = (await session.execute(_bookings().where(col(Booking.id) == booking_id))).first()
    return _record(row) if row else None


async def unfinished_booking_record(session: AsyncSession, email_key: str) -> BookingRecord | None:
    """Return the booking that an address has under way."""
    row = (await session.execute(_bookings().where(is_unfinished_of(email_key)))).first()
    return _record(row) if row else None


async def seat_records(session: AsyncSession) -> list[SeatRecord]:
    """Return all seats that are there, by backend and number."""
    return await _seats(session, col(Seat.retired).is_(False))


async def seat_record(session: AsyncSession, backend_number: int, seat_number: int) -> SeatRecord | None:
    """Return the seat of a number on the backend of a number."""
    wanted = (col(Backend.number) == backend_number) & (col(Seat.number) == seat_number)
    found = await _seats(session, wanted & col(Seat.retired).is_(False))
    return found[0] if found else None


async def key_of_title(session: AsyncSession, title: str) -> str | None:
    """Return the key of the workshop that has this title; of several, the first in the catalog that is active."""
    if not title.isprintable():  # PostgreSQL can't even compare some of these
        return None
    found: str | None = await session.scalar(
        select(col(Workshop.key))
        .where(col(Workshop.title) == title, col(Workshop.retired_at).is_(None))
        .order_by(col(Workshop.active).desc(), col(Workshop.priority), col(Workshop.key))
        .limit(1)
    )
    return found


def _bookings() -> Select[Any]:
    left = (
        select(col(BookingLog.id))
        .where(col(BookingLog.booking_id) == Booking.id, col(BookingLog.event) == BookingEvent.LEAVE)
        .exists()
    )
    rung = (
        select(func.coalesce(func.max(BadgeAward.rung), 0))
        .where(col(BadgeAward.email_key) == Booking.email_key)
        .correlate(Booking)
        .scalar_subquery()
    )
    return (
        select(Booking, Workshop, Seat, Backend, left, rung)
        .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
        .join(Seat, col(Seat.id) == col(Booking.seat_id))
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .where(col(Booking.forget).is_(False))
    )


def _record(row: Any) -> BookingRecord:
    booking, workshop, seat, backend, was_left, rung = row
    return BookingRecord(BookingDetails(booking, workshop, seat, backend), was_left, rung)


async def _seats(session: AsyncSession, condition: Any) -> list[SeatRecord]:
    held = select(col(Booking.id)).where(col(Booking.seat_id) == Seat.id, is_unfinished())
    rows = await session.execute(
        select(Seat, Backend, held.exists())
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .where(condition)
        .order_by(col(Backend.number), col(Seat.number))
    )
    return [SeatRecord(*row) for row in rows]

"""Verifying in SQL, reading only, that each booking has its seat, and each seat one student."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.tables import Booking

# A booking is dated at its beginning, which may be a moment before the seat that it gets is free.
_DATED_EARLY = timedelta(seconds=1)


@dataclass(frozen=True)
class KnownBooking:
    """A booking as the database knows it."""

    reference: str
    state: str
    was_ready: bool


async def known_bookings(session: AsyncSession) -> dict[str, KnownBooking]:
    """Return all bookings by their references."""
    rows = await session.execute(select(col(Booking.reference), col(Booking.state), col(Booking.ready_at)))
    return {reference: KnownBooking(reference, state, ready_at is not None) for reference, state, ready_at in rows}


async def seats_given_twice(session: AsyncSession) -> int:
    """Count the pairs of bookings that had one seat at the same time, or in the same generation."""
    one, other = aliased(Booking), aliased(Booking)
    overlapping = or_(
        col(one.seat_generation) == col(other.seat_generation),
        and_(col(one.finished_at).is_(None), col(other.finished_at).is_(None)),
        col(one.finished_at) > col(other.created_at) + _DATED_EARLY,
    )
    pairs = and_(col(one.seat_id) == col(other.seat_id), col(one.id) < col(other.id), overlapping)
    return await session.scalar(select(func.count()).select_from(one).join(other, pairs)) or 0

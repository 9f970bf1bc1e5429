"""When a workshop that is full has a seat again, in SQL. It reads only."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Interval, case, cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.booking import FINAL_STATES, BookingState
from models.tables import Booking, Seat, Workshop

_FINAL = [state.value for state in FINAL_STATES]
_CLOSING = [BookingState.ENDING, BookingState.ABANDONING]


async def next_free_seat(
    session: AsyncSession, workshop_key: str, hour_seconds: float, now: datetime
) -> datetime | None:
    """Return when the first seat that the workshop waits for is free again at the latest, not before `now`.

    A booking that isn't ready yet is taken to begin now; one that is being ended, to be over. None: the
    workshop has no seat, or nobody is on its seats.
    """
    hour = cast(literal(timedelta(seconds=hour_seconds)), Interval)
    free_at = case(
        (col(Booking.state).in_(_CLOSING), literal(now)),
        else_=func.coalesce(Booking.ends_at, literal(now) + col(Booking.duration_hours) * hour),
    )
    return await session.scalar(
        select(func.greatest(func.min(free_at), now))
        .select_from(Workshop)
        .join(Seat, col(Seat.number).between(col(Workshop.seat_first), col(Workshop.seat_last)))
        .join(Booking, col(Booking.seat_id) == col(Seat.id))
        .where(col(Workshop.key) == workshop_key, col(Booking.state).not_in(_FINAL))
    )

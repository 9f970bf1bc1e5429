"""When workshops that are full have a seat again, in SQL. It reads only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Interval, case, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.booking import BookingState
from models.rules.waiting import WaitingState
from models.store.predicates import is_unfinished
from models.tables import Booking, Seat, WaitingEntry, Workshop

_CLOSING = [BookingState.ENDING, BookingState.ABANDONING]


async def next_free_seat(
    session: AsyncSession, workshop_id: int, hour_seconds: float, now: datetime
) -> datetime | None:
    """Return when the first seat of a workshop is free again at the latest; see next_free_seats."""
    return (await next_free_seats(session, [workshop_id], hour_seconds, now)).get(workshop_id)


async def next_free_seats(
    session: AsyncSession, workshop_ids: Collection[int], hour_seconds: float, now: datetime
) -> dict[int, datetime]:
    """Return when the first seat of each workshop is free again at the latest, not before `now`.

    A booking that isn't ready yet is taken to begin now; one that is being ended, to be over; an offer, not to
    be taken. A workshop that has no seat, or nobody on its seats, is not in the answer.
    """
    hour = cast(literal(timedelta(seconds=hour_seconds)), Interval)
    free_at = case(
        (col(Booking.state).in_(_CLOSING), literal(now)),
        else_=func.coalesce(Booking.ends_at, literal(now) + col(Booking.duration_hours) * hour),
    )
    taken = union_all(
        select(col(Booking.seat_id).label("seat_id"), free_at.label("free_at")).where(is_unfinished()),
        select(col(WaitingEntry.seat_id), col(WaitingEntry.offer_until)).where(
            col(WaitingEntry.state) == WaitingState.OFFERED
        ),
    ).subquery()
    rows = await session.execute(
        select(col(Workshop.id), func.greatest(func.min(taken.c.free_at), now))
        .join(Seat, col(Seat.number).between(col(Workshop.seat_first), col(Workshop.seat_last)))
        .join(taken, taken.c.seat_id == col(Seat.id))
        .where(col(Workshop.id).in_(workshop_ids))
        .group_by(col(Workshop.id))
    )
    return {key: moment for key, moment in rows if key is not None}

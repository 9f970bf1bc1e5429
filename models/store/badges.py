"""Special badges in SQL: what an address has finished, and what it was awarded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import distinct, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.badges import earned_rungs
from models.rules.booking import BookingState, MailKind
from models.store.bookings import promise_mail
from models.tables import BadgeAward, Booking


async def award_earned_badges(session: AsyncSession, email_key: str, booking_id: int, now: datetime) -> None:
    """Award what an address has earned with the booking that has just ended, each rung once.

    Of several rungs that are reached at once only the highest is mailed.
    """
    awarded = set(
        await session.scalars(select(col(BadgeAward.rung)).where(col(BadgeAward.email_key) == email_key))
    )
    rungs = [rung.workshops for rung in earned_rungs(await _finished_workshops(session, email_key), awarded)]
    for rung in rungs:
        new = await session.scalar(
            insert(BadgeAward)
            .values(email_key=email_key, rung=rung, booking_id=booking_id, awarded_at=now)
            .on_conflict_do_nothing()
            .returning(col(BadgeAward.id))
        )
        if new is not None and rung == max(rungs):
            promise_mail(session, booking_id, MailKind.SPECIAL_BADGE, now, {"rung": rung})


async def _finished_workshops(session: AsyncSession, email_key: str) -> int:
    """Count the different workshops that an address ended with at least one executed cell."""
    count = await session.scalar(
        select(func.count(distinct(col(Booking.workshop_id)))).where(
            col(Booking.email_key) == email_key,
            col(Booking.state) == BookingState.ENDED,
            col(Booking.cells_executed) > 0,
        )
    )
    return count or 0

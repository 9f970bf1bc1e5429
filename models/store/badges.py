"""Special badges in SQL: what an address has finished, and what it was awarded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import distinct, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.booking import BookingState, MailKind
from models.tables import BadgeAward, Booking, Mail


async def finished_workshops(session: AsyncSession, email_key: str) -> int:
    """Return how many different workshops an address ended with at least one executed cell."""
    count = await session.scalar(
        select(func.count(distinct(col(Booking.workshop_id)))).where(
            col(Booking.email_key) == email_key,
            col(Booking.state) == BookingState.ENDED,
            col(Booking.cells_executed) > 0,
        )
    )
    return count or 0


async def awarded_rungs(session: AsyncSession, email_key: str) -> set[int]:
    """Return the rungs of the ladder that an address was awarded."""
    return set(await session.scalars(select(BadgeAward.rung).where(col(BadgeAward.email_key) == email_key)))


async def award_badge(
    session: AsyncSession, email_key: str, rung: int, booking_id: int, now: datetime, *, with_mail: bool
) -> None:
    """Award a rung once, however often it is called, and promise its mail if wanted."""
    new = await session.scalar(
        insert(BadgeAward)
        .values(email_key=email_key, rung=rung, booking_id=booking_id, awarded_at=now)
        .on_conflict_do_nothing()
        .returning(col(BadgeAward.id))
    )
    if new is not None and with_mail:
        session.add(
            Mail(
                booking_id=booking_id,
                kind=MailKind.SPECIAL_BADGE,
                data={"rung": rung},
                created_at=now,
                due_at=now,
            )
        )

"""A booking's story in SQL: all rows that tell where it is. It reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.store.bookings import BookingDetails, details_by_reference, log_of
from models.tables import BookingLog, Mail


@dataclass(frozen=True)
class Story:
    """A booking with its log and its mails, both oldest first."""

    found: BookingDetails
    log: Sequence[BookingLog]
    mails: Sequence[Mail]


async def story(session: AsyncSession, reference: str) -> Story:
    """Return the story of the booking that `reference` names.

    Raises:
        Refused: booking_unknown.

    """
    found = await details_by_reference(session, reference)
    booking_id = found.booking.id
    log = await log_of(session, booking_id) if booking_id is not None else []
    mails = await session.scalars(select(Mail).where(col(Mail.booking_id) == booking_id).order_by(col(Mail.id)))
    return Story(found, log, list(mails))

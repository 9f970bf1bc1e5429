"""Forgetting a student, in SQL: what tells who it was is erased, and what is counted stays."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import Feedback, PartnerBooking, RememberedAnswer
from models.rules.booking import FINAL_STATES, BookingState
from models.rules.waiting import WaitingState
from models.store.badges import award_earned_badges
from models.store.bookings import announce_seats, leave
from models.store.predicates import is_in_line, is_to_send
from models.tables import BadgeAward, Booking, BookingLog, Mail, WaitingEntry


async def is_known(session: AsyncSession, email_key: str) -> bool:
    """Tell whether there is a booking, a place in a line or feedback of an address."""
    found = await session.scalar(
        select(
            exists().where(col(Booking.email_key) == email_key)
            | exists().where(col(WaitingEntry.email_key) == email_key)
            | exists().where(func.lower(col(Feedback.email)) == email_key)
        )
    )
    return bool(found)


async def forget_student(session: AsyncSession, email_key: str, now: datetime) -> bool:
    """Erase who an address belongs to; tell whether that is all, since a session under way ends first.

    Everything in the database is erased at once. What a session under way leaves is wiped with its seat, and
    nothing of it is kept or mailed. How many people there were can still be counted: all that belonged to the
    address belongs to one key that nobody knows whose it was.
    """
    # Whoever takes an offer holds the place in the line: after it, the booking is there to be seen.
    await session.execute(
        select(col(WaitingEntry.id))
        .where(col(WaitingEntry.email_key) == email_key)
        .order_by(col(WaitingEntry.id))
        .with_for_update()
    )
    bookings = list(
        await session.scalars(
            select(Booking).where(col(Booking.email_key) == email_key).order_by(col(Booking.id)).with_for_update()
        )
    )
    unfinished = [booking for booking in bookings if booking.state not in FINAL_STATES]
    for booking in unfinished:
        await leave(session, booking.reference, now)
    await session.execute(delete(Feedback).where(func.lower(col(Feedback.email)) == email_key))
    nobody = f"forgotten-{secrets.token_urlsafe(18)}"
    erased = {"email": "", "email_key": nobody, "name": "", "company": ""}
    await session.execute(
        update(Booking).where(col(Booking.email_key) == email_key).values(forget=True, failure="", **erased)
    )
    await _erase_traces(session, [booking.id for booking in bookings if booking.id is not None], now)
    await session.execute(
        update(BadgeAward).where(col(BadgeAward.email_key) == email_key).values(email_key=nobody)
    )
    await _leave_lines(session, email_key, nobody, now)
    return not unfinished


async def settle_ended(session: AsyncSession, booking_id: int, now: datetime) -> None:
    """Award what a session that has just ended has earned; or erase what it has left of a forgotten student."""
    booking = await session.get_one(Booking, booking_id, populate_existing=True)
    if booking.forget:
        await _erase_traces(session, [booking_id], now)
    elif booking.state == BookingState.ENDED:
        await award_earned_badges(session, booking.email_key, booking_id, now)


async def _erase_traces(session: AsyncSession, booking_ids: list[int], now: datetime) -> None:
    """Let no mail go out for bookings of somebody who is forgotten, and no work of them be kept."""
    await _drop_mails(session, col(Mail.booking_id).in_(booking_ids), now)
    # What a mail server or a machine said may hold an address.
    await session.execute(
        update(BookingLog)
        .where(col(BookingLog.booking_id).in_(booking_ids), col(BookingLog.detail).contains("@"))
        .values(detail="")
    )
    await session.execute(
        update(Booking)
        .where(col(Booking.id).in_(booking_ids), col(Booking.archive_until) > now)
        .values(archive_until=now)
    )
    await session.execute(
        update(PartnerBooking)
        .where(col(PartnerBooking.booking_id).in_(booking_ids))
        .values(partner_user="", return_url="")
    )
    # What was asked can be guessed from its digest. The row stays: asked again, the request books nobody anew.
    await session.execute(
        update(RememberedAnswer).where(col(RememberedAnswer.booking_id).in_(booking_ids)).values(request_digest="")
    )


async def _drop_mails(session: AsyncSession, mails: ColumnElement[bool], now: datetime) -> None:
    """Erase what mail servers said, and let no mail go out that waits; figures know it by having no attempts."""
    await session.execute(update(Mail).where(mails).values(failure=""))
    await session.execute(
        update(Mail).where(mails, is_to_send()).values(given_up_at=now, lease_owner=None, attempts=0)
    )


async def _leave_lines(session: AsyncSession, email_key: str, nobody: str, now: datetime) -> None:
    entries = select(col(WaitingEntry.id)).where(col(WaitingEntry.email_key) == email_key)
    await _drop_mails(session, col(Mail.waiting_entry_id).in_(entries), now)
    left = await session.execute(
        update(WaitingEntry)
        .where(col(WaitingEntry.email_key) == email_key, is_in_line())
        .values(state=WaitingState.LEFT)
        .returning(col(WaitingEntry.id))
    )
    if left.first() is not None:
        await announce_seats(session)
    await session.execute(
        update(WaitingEntry)
        .where(col(WaitingEntry.email_key) == email_key)
        .values(email="", email_key=nobody, name="", company="")
    )

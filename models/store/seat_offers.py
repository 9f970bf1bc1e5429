"""Offers of free seats to those who wait for them, in SQL: made, taken in time, or ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.rules.booking import MailKind
from models.rules.waiting import WaitingEvent, WaitingState
from models.store.bookings import known_id
from models.store.free_seats import awaited_ranges, lines, lock_free_seat
from models.store.predicates import is_on_offer
from models.store.reservations import (
    Reservation,
    book_seat,
    lock_offered_workshop,
    no_seat,
    refuse_second_booking,
)
from models.store.waiting import entry_named, move_place
from models.tables import Booking, Mail, Seat, WaitingEntry, Workshop


async def next_in_line(session: AsyncSession, passed_over: Collection[int]) -> int | None:
    """Return the id of the workshop of whoever waits longest; `passed_over` are workshops to leave out."""
    workshop_id: int | None = await session.scalar(
        select(col(WaitingEntry.workshop_id))
        .join(Workshop, col(Workshop.id) == col(WaitingEntry.workshop_id))
        .where(
            col(WaitingEntry.state) == WaitingState.WAITING,
            is_on_offer(),
            col(Workshop.id).not_in(passed_over),
        )
        .order_by(col(WaitingEntry.id))
        .limit(1)
    )
    return workshop_id


async def offer_seat(session: AsyncSession, workshop_id: int, now: datetime, until: datetime) -> int | None:
    """Keep a free seat of a workshop for whoever waits longest for it, and promise the mail that says so.

    Return the id of the place in the line, None when there is no seat or nobody waits. The lock on the
    workshop's row is the one that reservations take, so that offers and bookings never exceed its capacity
    together.

    Raises:
        SeatTaken: somebody took the seat at the same moment; begin anew.

    """
    workshop = await session.get_one(Workshop, workshop_id, with_for_update={"key_share": True})
    line = (await lines(session)).get(workshop_id)
    if line is None or not line.room.is_awaited:
        return None
    seat = await lock_free_seat(session, workshop, kept=())
    if seat is None:
        return None
    entry = await session.scalar(
        select(WaitingEntry)
        .where(col(WaitingEntry.workshop_id) == workshop_id, col(WaitingEntry.state) == WaitingState.WAITING)
        .order_by(col(WaitingEntry.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if entry is None:  # who would be next is just leaving
        return None
    await move_place(session, entry, WaitingEvent.OFFER, now, seat_id=seat.id, offered_at=now, offer_until=until)
    return entry.id


async def prolong_offer(session: AsyncSession, entry_id: int, until: datetime, longest: timedelta) -> None:
    """Keep an offered seat until `until`, when its mail goes out later than the offer was made.

    No offer lasts longer than `longest`, however often its mail is tried.
    """
    end = func.least(until, col(WaitingEntry.offered_at) + longest)
    await session.execute(
        update(WaitingEntry)
        .where(
            col(WaitingEntry.id) == entry_id,
            col(WaitingEntry.state) == WaitingState.OFFERED,
            col(WaitingEntry.offer_until) < end,
        )
        .values(offer_until=end)
    )


async def expire_offers(session: AsyncSession, now: datetime, longest: timedelta) -> int:
    """End the offers that were not taken in time; return how many. Their seats are for the next in line.

    Nobody misses an offer whose mail waits for the mail server, unless that takes longer than `longest`.
    """
    unsent = exists().where(
        col(Mail.waiting_entry_id) == col(WaitingEntry.id),
        col(Mail.kind) == MailKind.OFFER,
        col(Mail.sent_at).is_(None),
        col(Mail.given_up_at).is_(None),
    )
    overdue = await session.scalars(
        select(WaitingEntry)
        .where(
            col(WaitingEntry.state) == WaitingState.OFFERED,
            col(WaitingEntry.offer_until) <= now,
            or_(~unsent, col(WaitingEntry.offered_at) <= now - longest),
        )
        .order_by(col(WaitingEntry.id))
        .with_for_update(skip_locked=True)
    )
    entries = list(overdue)
    for entry in entries:
        await move_place(session, entry, WaitingEvent.EXPIRE, now)
    return len(entries)


async def take_offer(session: AsyncSession, reference: str, now: datetime, *, hour_seconds: float) -> Booking:
    """Book the seat that is offered to somebody who waited; an offer that was taken gives the same booking.

    Raises:
        Refused: place_unknown, offer_missing, offer_expired, already_booked (the offer stays until its end),
            workshop_unknown, workshop_inactive; workshop_full, when the seat was taken off its machine.
        SeatTaken: somebody took the seat that is given instead of such a one; begin anew.

    """
    found = await entry_named(session, reference)
    named = await session.get_one(Workshop, found.workshop_id)
    workshop = await lock_offered_workshop(session, named.key)
    entry = await entry_named(session, reference, for_update=True)
    if entry.booking_id is not None:
        return await session.get_one(Booking, entry.booking_id)
    _check_offer(entry, now)
    await refuse_second_booking(session, entry.email_key)
    seat = await session.get_one(Seat, entry.seat_id, with_for_update=True)
    if seat.retired:
        other = await lock_free_seat(session, workshop, awaited_ranges(await lines(session), workshop.id))
        if other is None:
            raise await no_seat(session, workshop, hour_seconds, now)
        seat = other
    wish = Reservation(workshop.key, entry.email, entry.email_key, entry.name, entry.company)
    # The seat is free for its booking from here on: the offer ends in the same transaction.
    booking = await book_seat(session, workshop, seat, wish, now)
    await move_place(session, entry, WaitingEvent.TAKE, now, booking_id=known_id(booking.id))
    return booking


def _check_offer(entry: WaitingEntry, now: datetime) -> None:
    """Refuse what is no offer, or one whose time is over."""
    is_late = entry.offer_until is not None and entry.offer_until <= now
    if entry.state == WaitingState.EXPIRED or (entry.state == WaitingState.OFFERED and is_late):
        raise Refused(
            "This offer was not taken in time, and the seat is somebody else's. Join the waiting list again.",
            reason="offer_expired",
        )
    if entry.state != WaitingState.OFFERED:
        raise Refused(
            "No seat is offered to you at the moment. A mail comes as soon as one is.", reason="offer_missing"
        )

"""Lines for workshops that are full, in SQL: joining one, offers of free seats, taking or leaving them."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused, Stale
from models.rules.booking import FINAL_STATES, MailKind
from models.rules.waiting import IN_LINE, WaitingEvent, WaitingState, waiting_step
from models.store.availability import next_free_seat
from models.store.bookings import announce_seats, known_id, promise_waiting_mail
from models.store.free_seats import awaited_ranges, lines, lock_free_seat
from models.store.reservations import (
    Reservation,
    already_booked,
    book_seat,
    lock_offered_workshop,
    lock_seat_for_others,
    no_seat,
    refuse_second_booking,
)
from models.tables import Booking, Seat, WaitingEntry, Workshop

_FINAL = [state.value for state in FINAL_STATES]
_IN_LINE = [state.value for state in IN_LINE]


@dataclass(frozen=True)
class Place:
    """A place in a line; `position` counts from 1, None when nothing is waited for any more."""

    entry: WaitingEntry
    workshop: Workshop
    position: int | None
    next_free_at: datetime | None
    booking: str = ""


async def join_line(
    session: AsyncSession, wish: Reservation, now: datetime, *, limit: int, hour_seconds: float
) -> WaitingEntry:
    """Put a student at the end of a workshop's line, and promise the mail that says so.

    Raises:
        Refused: workshop_unknown, workshop_inactive; already_booked, when the student is in this workshop;
            already_waiting; line_full, when `limit` people wait; seats_free.
        SeatTaken: as lock_free_seat does; begin anew.

    """
    workshop = await lock_offered_workshop(session, wish.workshop_key)
    await _refuse_participant(session, workshop, wish.email_key)
    await _refuse_second_place(session, workshop, wish.email_key)
    line = (await lines(session)).get(known_id(workshop.id))
    if (line.room.waiting if line else 0) >= limit:
        raise await _line_full(session, workshop, hour_seconds, now)
    if await lock_seat_for_others(session, workshop) is not None:
        raise Refused("There are free seats: book one now, without waiting.", reason="seats_free")
    entry = WaitingEntry(
        reference=secrets.token_urlsafe(18),
        workshop_id=known_id(workshop.id),
        email=wish.email,
        email_key=wish.email_key,
        name=wish.name,
        company=wish.company,
        state=WaitingState.WAITING,
        created_at=now,
    )
    session.add(entry)
    await session.flush()
    promise_waiting_mail(session, known_id(entry.id), MailKind.WAITING, now)
    await announce_seats(session)
    return entry


async def place(session: AsyncSession, reference: str, hour_seconds: float, now: datetime) -> Place:
    """Return the place in a line that `reference` names, or refuse: place_unknown."""
    return await _place(session, await _entry(session, reference), hour_seconds, now)


async def places_of(session: AsyncSession, email_key: str, hour_seconds: float, now: datetime) -> list[Place]:
    """Return the places that an address has in lines now, oldest first."""
    entries = await session.scalars(
        select(WaitingEntry)
        .where(col(WaitingEntry.email_key) == email_key, col(WaitingEntry.state).in_(_IN_LINE))
        .order_by(col(WaitingEntry.id))
    )
    return [await _place(session, entry, hour_seconds, now) for entry in list(entries)]


async def place_by_id(session: AsyncSession, entry_id: int, hour_seconds: float, now: datetime) -> Place:
    """Return a place in a line."""
    return await _place(session, await session.get_one(WaitingEntry, entry_id), hour_seconds, now)


async def leave_line(session: AsyncSession, reference: str, now: datetime) -> None:
    """Give up a place in a line, or an offer; what is in no line any more stays as it is.

    Raises:
        Refused: place_unknown.

    """
    entry = await _entry(session, reference, for_update=True)
    state = WaitingState(entry.state)
    if state in IN_LINE:
        await _move(session, entry, WaitingEvent.LEAVE, now)
        await announce_seats(session)


async def next_in_line(session: AsyncSession, passed_over: Collection[int]) -> int | None:
    """Return the id of the workshop of whoever waits longest; `passed_over` are workshops to leave out."""
    workshop_id: int | None = await session.scalar(
        select(col(WaitingEntry.workshop_id))
        .join(Workshop, col(Workshop.id) == col(WaitingEntry.workshop_id))
        .where(
            col(WaitingEntry.state) == WaitingState.WAITING,
            col(Workshop.active).is_(True),
            col(Workshop.retired_at).is_(None),
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
    workshop = await session.get_one(Workshop, workshop_id, with_for_update=True)
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
    await _move(session, entry, WaitingEvent.OFFER, now, seat_id=seat.id, offered_at=now, offer_until=until)
    return entry.id


async def expire_offers(session: AsyncSession, now: datetime) -> int:
    """End the offers that were not taken in time; return how many. Their seats are for the next in line."""
    overdue = await session.scalars(
        select(WaitingEntry)
        .where(col(WaitingEntry.state) == WaitingState.OFFERED, col(WaitingEntry.offer_until) <= now)
        .order_by(col(WaitingEntry.id))
        .with_for_update(skip_locked=True)
    )
    entries = list(overdue)
    for entry in entries:
        await _move(session, entry, WaitingEvent.EXPIRE, now)
    return len(entries)


async def take_offer(session: AsyncSession, reference: str, now: datetime, *, hour_seconds: float) -> Booking:
    """Book the seat that is offered to somebody who waited; an offer that was taken gives the same booking.

    Raises:
        Refused: place_unknown, offer_missing, offer_expired, already_booked (the offer stays until its end),
            workshop_unknown, workshop_inactive; workshop_full, when the seat was taken off its machine.
        SeatTaken: somebody took the seat that is given instead of such a one; begin anew.

    """
    found = await _entry(session, reference)
    named = await session.get_one(Workshop, found.workshop_id)
    workshop = await lock_offered_workshop(session, named.key)
    entry = await _entry(session, reference, for_update=True)
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
    await _move(session, entry, WaitingEvent.TAKE, now, booking_id=known_id(booking.id))
    return booking


def unknown_place() -> Refused:
    """Return the refusal for a reference that names no place in a line."""
    return Refused(
        "There is no such place in a line. Open the link from your mail again, or get in line anew.",
        reason="place_unknown",
    )


async def _move(
    session: AsyncSession, entry: WaitingEntry, event: WaitingEvent, now: datetime, **values: Any
) -> None:
    step = waiting_step(WaitingState(entry.state), event)
    changed = await session.execute(
        update(WaitingEntry)
        .where(col(WaitingEntry.id) == entry.id, col(WaitingEntry.state) == entry.state)
        .values(state=step.to, **values)
        .returning(col(WaitingEntry.id))
    )
    if changed.first() is None:
        raise Stale("This place in the line has moved on in the meantime.", reason="place_moved_on")
    if step.mail:
        promise_waiting_mail(session, known_id(entry.id), step.mail, now)


async def _entry(session: AsyncSession, reference: str, *, for_update: bool = False) -> WaitingEntry:
    statement = select(WaitingEntry).where(col(WaitingEntry.reference) == reference)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    entry = await session.scalar(statement)
    if entry is None:
        raise unknown_place()
    return entry


async def _place(session: AsyncSession, entry: WaitingEntry, hour_seconds: float, now: datetime) -> Place:
    workshop = await session.get_one(Workshop, entry.workshop_id)
    if entry.state != WaitingState.WAITING:
        booking = await session.get(Booking, entry.booking_id) if entry.booking_id else None
        return Place(entry, workshop, None, None, booking.reference if booking else "")
    position = await session.scalar(
        select(func.count()).where(
            col(WaitingEntry.workshop_id) == entry.workshop_id,
            col(WaitingEntry.state) == WaitingState.WAITING,
            col(WaitingEntry.id) <= entry.id,
        )
    )
    free_at = await next_free_seat(session, known_id(workshop.id), hour_seconds, now)
    return Place(entry, workshop, position, free_at)


async def _refuse_participant(session: AsyncSession, workshop: Workshop, email_key: str) -> None:
    booking = await session.scalar(
        select(Booking).where(
            col(Booking.workshop_id) == workshop.id,
            col(Booking.email_key) == email_key,
            col(Booking.state).not_in(_FINAL),
        )
    )
    if booking is not None:
        raise already_booked(booking.ends_at)


async def _refuse_second_place(session: AsyncSession, workshop: Workshop, email_key: str) -> None:
    if await session.scalar(
        select(col(WaitingEntry.id)).where(
            col(WaitingEntry.workshop_id) == workshop.id,
            col(WaitingEntry.email_key) == email_key,
            col(WaitingEntry.state).in_(_IN_LINE),
        )
    ):
        raise Refused(
            "This e-mail address is in the line already. The mail about it has a link to its place.",
            reason="already_waiting",
        )


async def _line_full(session: AsyncSession, workshop: Workshop, hour_seconds: float, now: datetime) -> Refused:
    return Refused(
        "The line for this workshop takes nobody any more. Please try again later.",
        reason="line_full",
        retry_at=await next_free_seat(session, known_id(workshop.id), hour_seconds, now),
    )


def _check_offer(entry: WaitingEntry, now: datetime) -> None:
    """Refuse what is no offer, or one whose time is over."""
    is_late = entry.offer_until is not None and entry.offer_until <= now
    if entry.state == WaitingState.EXPIRED or (entry.state == WaitingState.OFFERED and is_late):
        raise Refused(
            "This offer was not taken in time, and the seat is somebody else's. Get in line again.",
            reason="offer_expired",
        )
    if entry.state != WaitingState.OFFERED:
        raise Refused(
            "No seat is offered to you at the moment. A mail comes as soon as one is.", reason="offer_missing"
        )

"""Reservations in SQL: who gets which seat, in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import and_, exists, func, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused, StepFailed
from models.rules.booking import FIRST_MAIL, BookingState
from models.rules.waiting import Room
from models.store.availability import next_free_seat
from models.store.bookings import announce_work, known_id, promise_mail
from models.store.database import Database
from models.store.free_seats import SeatTaken, awaited_ranges, count_free_seats, is_free, lines, lock_free_seat
from models.store.predicates import is_on_offer, is_unfinished, is_unfinished_of, running_count
from models.tables import Backend, Booking, BookingLog, Seat, Workshop

T = TypeVar("T")


# A seat that is being wiped is free within this time; who asks sooner only burdens the platform.
_SOONEST_RETRY = timedelta(seconds=5)

# Each round that loses a seat to another workshop's booking sees one seat fewer; more rounds than this mean
# that something else is wrong.
_ROUNDS = 20


@dataclass(frozen=True)
class Reservation:
    """What a student asks for; checked and normalised by models.rules."""

    workshop_key: str
    email: str
    email_key: str
    name: str
    company: str = ""


async def until_seated(database: Database, take_seat: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Return what `take_seat` does in a transaction, begun anew when it ends in SeatTaken.

    Raises:
        StepFailed: seats_contended.

    """
    for _ in range(_ROUNDS):
        try:
            async with database.transaction() as session:
                return await take_seat(session)
        except SeatTaken:
            continue
    raise StepFailed("Too many people are booking at this moment. Please try again.", reason="seats_contended")


async def reserve(
    session: AsyncSession, reservation: Reservation, now: datetime, *, hour_seconds: float
) -> Booking:
    """Take a free seat for a student and promise the welcome mail; people who wait in a line come first.

    The lock on the workshop's row makes bookings of one workshop wait for each other, so that its
    capacity is never exceeded. Workshops that share seats meet at the lock on the seat.

    Raises:
        Refused: workshop_unknown, workshop_inactive, already_booked or workshop_full; the last two say
            in `retry_at` when trying again makes sense.
        SeatTaken: another workshop's booking took the same seat at the same moment; begin anew.

    """
    await _refuse_at_a_look(session, reservation, now, hour_seconds)
    workshop = await lock_offered_workshop(session, reservation.workshop_key)
    seat = await lock_seat_for_others(session, workshop)
    if seat is None:
        raise await no_seat(session, workshop, hour_seconds, now)
    return await book_seat(session, workshop, seat, reservation, now)


async def lock_seat_for_others(session: AsyncSession, workshop: Workshop) -> Seat | None:
    """Lock a seat of a locked workshop for somebody who doesn't wait for one; None: there is none to spare.

    Raises:
        SeatTaken: as lock_free_seat does.

    """
    found = await lines(session)
    line = found.get(known_id(workshop.id))
    room = line.room if line else Room(workshop.capacity, await _running(session, workshop))
    kept = awaited_ranges(found, workshop.id)
    # To count them is only of use where somebody waits; else one seat is enough, and looking for it tells.
    free_seats = await count_free_seats(session, workshop, kept) if room.waiting else 1
    return await lock_free_seat(session, workshop, kept) if room.for_others(free_seats) else None


async def book_seat(
    session: AsyncSession, workshop: Workshop, seat: Seat, reservation: Reservation, now: datetime
) -> Booking:
    """Give a locked seat to a student, and promise the welcome mail.

    Raises:
        Refused: already_booked.
        SeatTaken: somebody holds the seat.

    """
    seat.generation += 1
    booking = Booking(
        reference=secrets.token_urlsafe(18),
        workshop_id=known_id(workshop.id),
        seat_id=known_id(seat.id),
        seat_generation=seat.generation,
        email=reservation.email,
        email_key=reservation.email_key,
        name=reservation.name,
        company=reservation.company,
        state=BookingState.RESERVED,
        duration_hours=workshop.duration_hours,
        content_digest=workshop.content_digest,
        created_at=now,
        due_at=now,
    )
    session.add(booking)
    try:
        await session.flush()
    except IntegrityError as error:
        if "one_booking_per_seat" in str(error.orig):
            raise SeatTaken from None
        if "one_booking_per_email" in str(error.orig):
            raise already_booked(None) from None
        raise
    booking_id = known_id(booking.id)
    session.add(BookingLog(booking_id=booking_id, at=now, event="reserve", state=BookingState.RESERVED))
    promise_mail(session, booking_id, FIRST_MAIL, now)
    await announce_work(session)
    return booking


async def _refuse_at_a_look(
    session: AsyncSession, reservation: Reservation, now: datetime, hour_seconds: float
) -> None:
    """Refuse whoever has a booking, or comes when all is taken, without any lock.

    In a rush most are refused, and nobody should have to wait for that. What changes between this look and the
    lock is found under the lock, or by the unique indexes.
    """
    mine = select(col(Booking.id), col(Booking.ends_at)).where(is_unfinished_of(reservation.email_key)).subquery()
    in_range = col(Seat.number).between(col(Workshop.seat_first), col(Workshop.seat_last))
    has_seat = exists().where(col(Seat.backend_id) == col(Backend.id), in_range, is_free()).correlate(Workshop)
    looked = await session.execute(
        select(Workshop, and_(running_count() < col(Workshop.capacity), has_seat), mine.c.id, mine.c.ends_at)
        .outerjoin(mine, true())
        .where(
            col(Workshop.key) == reservation.workshop_key,
            is_on_offer(),
        )
    )
    for workshop, has_room, my_booking, ends_at in looked:
        if my_booking is not None:
            raise already_booked(ends_at)
        if not has_room:
            raise await no_seat(session, workshop, hour_seconds, now)


async def lock_offered_workshop(session: AsyncSession, key: str) -> Workshop:
    """Lock a workshop that can be booked, or refuse: workshop_unknown, workshop_inactive.

    The lock lets foreign keys pass: who holds a place in its line, and writes that again, never waits for it.
    """
    named = select(Workshop).where(col(Workshop.key) == key)
    locked = named.with_for_update(key_share=True).execution_options(populate_existing=True)
    # PostgreSQL can't even compare some of the others.
    workshop: Workshop | None = await session.scalar(locked) if key.isprintable() else None
    if workshop is None or workshop.retired_at is not None:
        raise Refused("There is no such workshop. Choose one from the catalog.", reason="workshop_unknown")
    if not workshop.active:
        raise Refused(
            "This workshop is not offered at the moment. Choose another one from the catalog.",
            reason="workshop_inactive",
        )
    return workshop


async def refuse_second_booking(session: AsyncSession, email_key: str) -> None:
    """Refuse whoever has an unfinished booking: already_booked."""
    mine = select(Booking).where(is_unfinished_of(email_key))
    booking = await session.scalar(mine)
    if booking is not None:
        raise already_booked(booking.ends_at)


async def no_seat(session: AsyncSession, workshop: Workshop, hour_seconds: float, now: datetime) -> Refused:
    """Return the refusal of a workshop that has no seat to spare, with when it may have one."""
    free_at = await next_free_seat(session, known_id(workshop.id), hour_seconds, now)
    return Refused(
        "All seats of this workshop are taken. Try again later, or choose another one.",
        reason="workshop_full",
        retry_at=max(free_at or now, now + _SOONEST_RETRY),
    )


async def _running(session: AsyncSession, workshop: Workshop) -> int:
    running = (col(Booking.workshop_id) == workshop.id) & is_unfinished()
    return await session.scalar(select(func.count()).where(running)) or 0


def already_booked(ends_at: datetime | None) -> Refused:
    """Return the refusal of a second booking, with when the first ends."""
    return Refused(
        "This e-mail address has a booking already, and can have one at a time. Finish that workshop, or"
        " end it with the link in its mail, then book the next one.",
        reason="already_booked",
        retry_at=ends_at,
    )

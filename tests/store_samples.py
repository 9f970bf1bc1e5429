"""Workshops, bookings, sessions and lines as rows of a database, made as the platform makes them."""

from __future__ import annotations

from datetime import timedelta

from eventually import eventually
from sqlalchemy import select, text, update

from models.errors import Refused
from models.rules.booking import BookingEvent, BookingState
from models.store.backends import offer_backend, take_in_backends
from models.store.bookings import move
from models.store.catalog import save_workshop
from models.store.forgetting import settle_ended
from models.store.free_seats import SeatTaken
from models.store.reservations import Reservation, reserve, until_seated
from models.store.seat_offers import expire_offers, next_in_line, offer_seat, take_offer
from models.store.waiting import join_line, place
from models.tables import Backend, Booking, Mail, utc_now

# How long offers last that are made here, and at most, while the mail server takes nothing.
KEEP = timedelta(minutes=30)
LONGEST = 4 * KEEP


async def offer(database, key="WKSHP-One", *, capacity=20, seats=(1, 20), backend_seats=40, **values):
    async with database.transaction() as session:
        backend = Backend(name="be1", number=1, hub_url="http://hub", hub_api_url="http://hub/api")
        await take_in_backends(session, [backend], {1: backend_seats})
        await offer_backend(session, 1, [f"student{n}" for n in range(1, backend_seats + 1)], utc_now())
        row = {
            "title": key,
            "description": "",
            "active": True,
            "capacity": capacity,
            "priority": 1,
            "seat_first": seats[0],
            "seat_last": seats[1],
            "duration_hours": 2.0,
            "source": "/catalog",
            "content_digest": "0",
        }
        await save_workshop(session, key, row | values, utc_now())


def wish(number, key="WKSHP-One"):
    address = f"student{number}@example.com"
    return Reservation(workshop_key=key, email=address, email_key=address, name=f"Student {number}")


async def book(database, reservation):
    while True:
        try:
            async with database.transaction() as session:
                return await reserve(session, reservation, utc_now(), hour_seconds=3600)
        except SeatTaken:
            continue


async def outcome(database, reservation):
    try:
        return (await book(database, reservation)).seat_id
    except Refused as refusal:
        return refusal.reason


async def open_session(database, booking_id, ends_at):
    async with database.transaction() as session:
        now = utc_now()
        await move(session, booking_id, BookingState.RESERVED, BookingEvent.PREPARE, now)
        await move(
            session, booking_id, BookingState.PREPARING, BookingEvent.OPEN, now, ready_at=now, ends_at=ends_at
        )


async def release(database, booking_id):
    """End a session and free its seat, as the engine does."""
    async with database.transaction() as session:
        booking = await session.get_one(Booking, booking_id)
        state = BookingState(booking.state)
        if state is not BookingState.ENDING:
            await move(session, booking_id, state, BookingEvent.LEAVE, utc_now())
        await move(
            session, booking_id, BookingState.ENDING, BookingEvent.RELEASE, utc_now(), finished_at=utc_now()
        )


async def join(database, number, key="WKSHP-One", limit=100):
    return await until_seated(
        database, lambda session: join_line(session, wish(number, key), utc_now(), limit=limit, hour_seconds=3600)
    )


async def attend(database, now=None):
    """Do what an engine does for the lines; return the workshops that a seat was offered of, in order."""
    now = now or utc_now()
    async with database.transaction() as session:
        await expire_offers(session, now, LONGEST)
    full, offered = set(), []
    while True:
        async with database.transaction() as session:
            workshop_id = await next_in_line(session, full)
        if workshop_id is None:
            return offered
        entry = await until_seated(
            database, lambda session, chosen=workshop_id: offer_seat(session, chosen, now, now + KEEP)
        )
        if entry is None:
            full.add(workshop_id)
        else:
            offered.append(workshop_id)


async def take(database, reference):
    try:
        booking = await until_seated(
            database, lambda session: take_offer(session, reference, utc_now(), hour_seconds=3600)
        )
    except Refused as refusal:
        return refusal.reason
    return booking.seat_id


async def state_of(database, entry):
    async with database.transaction() as session:
        return (await place(session, entry.reference, 3600, utc_now())).entry.state


async def mails_of(database, entry):
    async with database.transaction() as session:
        rows = await session.scalars(select(Mail.kind).where(Mail.waiting_entry_id == entry.id).order_by(Mail.id))
        return list(rows)


async def full_workshop(database, seats=1, **values):
    await offer(database, seats=(1, seats), **values)
    return [await book(database, wish(1000 + number)) for number in range(seats)]


async def until_somebody_waits(database, seconds=15):
    """Return when a transaction waits for another's lock."""

    async def waiting():
        async with database.transaction() as session:
            return await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    await eventually(waiting, "a transaction waits for another's lock", seconds)


async def session_of(database, number=1, hours=2.0, key="WKSHP-One"):
    booking = await book(database, wish(number, key))
    await open_session(database, booking.id, utc_now() + timedelta(hours=hours))
    return booking


async def row_of(database, booking):
    async with database.transaction() as session:
        return await session.get_one(Booking, booking.id)


async def finish(database, number, key, executed=1):
    booking = await session_of(database, number, key=key)
    async with database.transaction() as session:
        await session.execute(
            update(Booking).where(Booking.id == booking.id).values(cells_executed=executed, cells_total=4)
        )
    await release(database, booking.id)
    async with database.transaction() as session:
        await settle_ended(session, booking.id, utc_now())
    return booking

"""Workshops, bookings and sessions as rows of a database, made as the platform makes them."""

from __future__ import annotations

from models.errors import Refused
from models.rules.booking import BookingEvent, BookingState
from models.store.backends import offer_backend, take_in_backends
from models.store.bookings import move
from models.store.catalog import save_workshop
from models.store.free_seats import SeatTaken
from models.store.reservations import Reservation, reserve
from models.tables import Backend, Booking, utc_now


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

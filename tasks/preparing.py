"""Making a reserved seat ready for its student."""

from __future__ import annotations

import asyncio

from models.errors import Stale
from models.rules.booking import BookingEvent, BookingState, reminder_time, session_end
from models.rules.passwords import derive_password
from models.rules.variables import booking_variables
from models.store.bookings import BookingDetails, log_step, move
from models.tables import utc_now
from tasks.content import render_workshop
from tasks.recording import step
from tasks.running_platform import current_platform
from tasks.seats import open_seat


async def begin_preparing(booking_id: int) -> None:
    """Note that preparing has begun; a booking in preparation stays in it."""
    platform = current_platform()
    booking = (await platform.details(booking_id)).booking
    if booking.state == BookingState.PREPARING:
        return
    async with platform.database.transaction() as session:
        await move(
            session,
            booking_id,
            BookingState(booking.state),
            BookingEvent.PREPARE,
            utc_now(),
            owner=platform.owner,
        )


@step("generate notebooks")
async def generate_notebooks(booking_id: int) -> None:
    """Render the workshop for the seat and deliver it there; the seat's password works from now on."""
    platform = current_platform()
    booking = await _in_preparation(booking_id)
    password = derive_password(platform.settings.secret("password_key"), booking.booking.reference)
    variables = booking_variables(
        platform.variables(booking.backend),
        booking.workshop.key,
        booking.seat.number,
        booking.workshop.seat_first,
        password,
    )
    snapshot = platform.snapshots / booking.booking.content_digest
    async with asyncio.timeout(platform.settings.step_timeout_seconds):
        content = await asyncio.to_thread(render_workshop, snapshot, booking.workshop.key, variables)
    await open_seat(
        platform.machine(booking.backend),
        platform.place(booking),
        password,
        content,
        timeout_seconds=platform.settings.step_timeout_seconds,
    )
    async with platform.database.transaction() as session:
        await log_step(session, booking_id, "notebooks", utc_now())


@step("open account")
async def open_account(booking_id: int) -> None:
    """Let the student in at the hub and start the session's clock; the credentials mail is promised."""
    platform = current_platform()
    booking = await _in_preparation(booking_id)
    await platform.hub(booking.backend).ensure_user(booking.seat.account)
    settings, now = platform.settings, utc_now()
    ends_at = session_end(now, booking.booking.duration_hours, settings.hour_seconds)
    async with platform.database.transaction() as session:
        await log_step(session, booking_id, "account", now)
        await move(
            session,
            booking_id,
            BookingState.PREPARING,
            BookingEvent.OPEN,
            now,
            owner=platform.owner,
            ready_at=now,
            ends_at=ends_at,
            due_at=reminder_time(ends_at, now, settings.reminder_hours, settings.hour_seconds),
        )
    if settings.prestart_servers:
        platform.servers_to_start.put_nowait(booking_id)


async def start_server(booking_id: int) -> None:
    """Start the Jupyter server of an open seat ahead of the student's log-in."""
    platform = current_platform()
    booking = await platform.details(booking_id)
    if booking.booking.state == BookingState.READY:
        await platform.hub(booking.backend).start_server(booking.seat.account)


async def _in_preparation(booking_id: int) -> BookingDetails:
    booking = await current_platform().details(booking_id)
    if booking.booking.state != BookingState.PREPARING:
        raise Stale(
            "This booking is no longer in preparation.",
            reason="booking_moved_on",
            detail=f"booking {booking_id} is {booking.booking.state}",
        )
    return booking

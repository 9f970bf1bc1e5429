"""Reminding, ending a session, and giving its seat back."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.errors import Stale, StepFailed
from models.rules.booking import OPEN_STATES, BookingEvent, BookingState
from models.settings import Settings
from models.store.bookings import BookingDetails, known_id, log_step, move, record_work
from models.store.forgetting import settle_ended
from models.tables import Booking, utc_now
from tasks.recording import step
from tasks.running_platform import current_platform
from tasks.seats import collect_seat, lock_seat, measure_seat, wipe_seat

# A seat is worth more than what a student made unreadable: after this many attempts it is wiped all the same.
_COLLECT_ATTEMPTS = 4

_CLOSING = {BookingState.ENDING, BookingState.ABANDONING}


async def begin_expiring(booking_id: int) -> None:
    """Note that the end is near; the reminder is promised."""
    platform = current_platform()
    booking = (await platform.details(booking_id)).booking
    now = utc_now()
    async with platform.database.transaction() as session:
        await move(
            session,
            booking_id,
            BookingState(booking.state),
            BookingEvent.REMIND,
            now,
            owner=platform.owner,
            # A session that was made longer is reminded again.
            mail_round=booking.extensions,
            mail_data={"hours_left": _hours_left(booking, min(now, booking.due_at), platform.settings)},
            due_at=booking.ends_at,
        )


async def begin_ending(booking_id: int) -> None:
    """End an open session, whether or not its time has come; one that is ending goes on."""
    platform = current_platform()
    state = BookingState((await platform.details(booking_id)).booking.state)
    if state in OPEN_STATES:
        now = utc_now()
        async with platform.database.transaction() as session:
            await move(session, booking_id, state, BookingEvent.EXPIRE, now, owner=platform.owner, due_at=now)


@step("lock account")
async def lock_account(booking_id: int) -> None:
    """Make the password and every log-in of the seat worthless, and stop its server."""
    platform = current_platform()
    booking = await _closing(booking_id)
    timeout = platform.settings.step_timeout_seconds
    # The machine first: it refuses work for a student who has passed, and the hub can't tell.
    await lock_seat(platform.machine(booking.backend), platform.place(booking), timeout_seconds=timeout)
    await platform.hub(booking.backend).delete_user(booking.seat.account, timeout)


@step("collect work")
async def collect_work(booking_id: int) -> None:
    """Measure how far the student got and keep the work for download; what is kept is not replaced."""
    platform = current_platform()
    booking = await _closing(booking_id)
    if booking.booking.archive_until is not None or booking.booking.ready_at is None:
        return
    if booking.booking.forget:
        await _measure_only(booking)
        return
    archive = platform.archive(booking_id)
    archive.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        work = await collect_seat(
            platform.machine(booking.backend),
            platform.place(booking),
            booking.workshop.key,
            archive,
            platform.settings.archive_limit_mb,
            timeout_seconds=platform.settings.step_timeout_seconds,
        )
    except StepFailed as error:
        if booking.booking.attempts < _COLLECT_ATTEMPTS:
            raise
        async with platform.database.transaction() as session:
            await log_step(session, booking_id, "work", utc_now(), f"The work was not kept: {error.message}")
        return
    if work.archived:
        # The folder is closed to others; the API, which may have an account of its own, must read the file.
        archive.chmod(0o644)
    now = utc_now()
    async with platform.database.transaction() as session:
        await record_work(
            session,
            booking_id,
            platform.owner,
            cells_executed=work.cells_executed,
            cells_total=work.cells_total,
            archive_until=now + timedelta(days=platform.settings.archive_days) if work.archived else None,
        )
        await log_step(session, booking_id, "work", now)


@step("reset seat")
async def reset_seat(booking_id: int) -> None:
    """Wipe the seat and give it back; thanks or the apology, and special badges, are promised.

    Somebody who wants to be forgotten is promised nothing, and nothing is kept.
    """
    platform = current_platform()
    booking = await _closing(booking_id)
    timeout = platform.settings.step_timeout_seconds
    await wipe_seat(platform.machine(booking.backend), platform.place(booking), timeout_seconds=timeout)
    state = BookingState(booking.booking.state)
    now = utc_now()
    async with platform.database.transaction() as session:
        await move(
            session,
            booking_id,
            state,
            BookingEvent.RELEASE,
            now,
            owner=platform.owner,
            finished_at=now,
            failure=booking.booking.failure if state is BookingState.ABANDONING else "",
        )
        await settle_ended(session, booking_id, now)


async def _measure_only(booking: BookingDetails) -> None:
    """Count how far somebody got who wants to be forgotten; what was kept already is removed."""
    platform = current_platform()
    booking_id = known_id(booking.booking.id)
    platform.archive(booking_id).unlink(missing_ok=True)
    work = await measure_seat(
        platform.machine(booking.backend),
        platform.place(booking),
        booking.workshop.key,
        timeout_seconds=platform.settings.step_timeout_seconds,
    )
    async with platform.database.transaction() as session:
        await record_work(
            session,
            booking_id,
            platform.owner,
            cells_executed=work.cells_executed,
            cells_total=work.cells_total,
        )


def _hours_left(booking: Booking, now: datetime, settings: Settings) -> float:
    return (booking.ends_at - now).total_seconds() / settings.hour_seconds if booking.ends_at else 0


async def _closing(booking_id: int) -> BookingDetails:
    booking = await current_platform().details(booking_id)
    if booking.booking.state not in _CLOSING:
        raise Stale(
            "This booking is not being ended.",
            reason="booking_moved_on",
            detail=f"booking {booking_id} is {booking.booking.state}",
        )
    return booking

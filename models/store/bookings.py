"""Bookings in SQL: moving one through its states, and reading it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import PartnerBooking
from models.errors import Refused, Stale
from models.rules.booking import (
    FINAL_STATES,
    BookingEvent,
    BookingState,
    MailKind,
    transition,
)
from models.store.announcing import announce_event, is_partners
from models.store.database import SEATS, WORK_CHANNEL
from models.store.predicates import is_booking
from models.tables import Backend, Booking, BookingLog, Mail, Seat, Workshop


@dataclass(frozen=True)
class BookingDetails:
    """A booking with everything that belongs to it."""

    booking: Booking
    workshop: Workshop
    seat: Seat
    backend: Backend
    return_url: str = ""


async def move(
    session: AsyncSession,
    booking_id: int,
    state: BookingState,
    event: BookingEvent,
    now: datetime,
    *,
    owner: str | None = None,
    detail: str = "",
    mail_data: dict[str, Any] | None = None,
    mail_round: int = 0,
    **values: Any,
) -> BookingState:
    """Move a booking on from `state`, write the log, promise the step's mail, and tell whose booking it is.

    `owner` is the lease that the caller works under; `mail_data` and `mail_round` belong to the mail of the
    step, if it has one; `values` are further columns to set. An event that
    begins work keeps the worker's lease; one that finishes it ends the lease and the count of failures,
    and the booking is due at once unless `due_at` is given.

    Raises:
        Refused: transition_not_allowed.
        Stale: the booking is no longer in `state`, or the lease has passed to somebody else.

    """
    step = transition(state, event)
    statement = update(Booking).where(col(Booking.id) == booking_id, col(Booking.state) == state)
    if owner is not None:
        statement = statement.where(col(Booking.lease_owner) == owner)
    fresh = {} if event in _BEGINNINGS else {"attempts": 0, "failure": "", "due_at": now} | _NO_LEASE
    changed = await session.execute(
        statement.values({"state": step.to} | fresh | values).returning(col(Booking.id), is_partners())
    )
    if (moved := changed.first()) is None:
        raise Stale(
            "This booking has moved on in the meantime.",
            reason="booking_moved_on",
            detail=f"booking {booking_id} is not {state} under lease {owner}",
        )
    log = BookingLog(booking_id=booking_id, at=now, event=event, state=step.to, detail=detail)
    session.add(log)
    if moved[1]:
        await announce_event(session, log)
    if step.mail:
        promise_mail(session, booking_id, step.mail, now, mail_data, mail_round=mail_round)
    await announce_work(session)
    if step.to in FINAL_STATES:
        await announce_seats(session)
    return step.to


async def leave(session: AsyncSession, reference: str, now: datetime) -> Booking:
    """End a student's booking at the student's wish; a booking that ends or has ended stays as it is.

    Raises:
        Refused: booking_unknown.

    """
    booking = await session.scalar(select(Booking).where(col(Booking.reference) == reference).with_for_update())
    if booking is None:
        raise unknown_booking()
    state = BookingState(booking.state)
    if state not in {BookingState.ENDING, BookingState.ABANDONING} | FINAL_STATES:
        await move(session, known_id(booking.id), state, BookingEvent.LEAVE, now)
        await session.refresh(booking)
    return booking


async def log_step(session: AsyncSession, booking_id: int, step: str, now: datetime, detail: str = "") -> None:
    """Write down that a step of the present work is done."""
    booking = await session.get_one(Booking, booking_id)
    session.add(
        BookingLog(booking_id=booking_id, at=now, event="step", state=booking.state, detail=detail or step)
    )


async def record_work(session: AsyncSession, booking_id: int, owner: str, **values: Any) -> None:
    """Write down what an ended session left: cells and the archive.

    Raises:
        Stale: the lease has passed to somebody else.

    """
    changed = await session.execute(
        update(Booking)
        .where(col(Booking.id) == booking_id, col(Booking.lease_owner) == owner)
        .values(**values)
        .returning(col(Booking.id))
    )
    if changed.first() is None:
        raise Stale("Another engine works on this booking.", reason="lease_lost")


async def details(session: AsyncSession, booking_id: int) -> BookingDetails:
    """Return a booking with its workshop, seat and backend."""
    return await _details(session, is_booking(booking_id))


async def details_by_reference(session: AsyncSession, reference: str) -> BookingDetails:
    """Return the booking that `reference` names, or refuse: booking_unknown."""
    return await _details(session, col(Booking.reference) == reference)


async def log_of(session: AsyncSession, booking_id: int) -> list[BookingLog]:
    """Return what happened to a booking, oldest first."""
    rows = await session.scalars(
        select(BookingLog).where(col(BookingLog.booking_id) == booking_id).order_by(col(BookingLog.id))
    )
    return list(rows)


async def expired_archives(session: AsyncSession, booking_ids: Collection[int], now: datetime) -> set[int]:
    """Return those of the bookings whose work is no longer kept."""
    rows = await session.scalars(
        select(col(Booking.id)).where(col(Booking.id).in_(booking_ids), col(Booking.archive_until) < now)
    )
    return {row for row in rows if row is not None}


async def announce_work(session: AsyncSession) -> None:
    """Wake the engines when this transaction commits."""
    await session.execute(text(f"NOTIFY {WORK_CHANNEL}"))


async def announce_seats(session: AsyncSession) -> None:
    """Have the engines look who waits for a seat, when this transaction commits."""
    await session.execute(text(f"NOTIFY {WORK_CHANNEL}, '{SEATS}'"))


def unknown_booking() -> Refused:
    """Return the refusal for a reference that names no booking."""
    return Refused(
        "There is no such booking. Open the link from your mail again, or book anew.",
        reason="booking_unknown",
    )


_BEGINNINGS = {BookingEvent.PREPARE, BookingEvent.EXPIRE}
_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


async def _details(session: AsyncSession, condition: Any) -> BookingDetails:
    row = (
        await session.execute(
            select(Booking, Workshop, Seat, Backend, func.coalesce(col(PartnerBooking.return_url), ""))
            .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
            .join(Seat, col(Seat.id) == col(Booking.seat_id))
            .join(Backend, col(Backend.id) == col(Seat.backend_id))
            .outerjoin(PartnerBooking, col(PartnerBooking.booking_id) == col(Booking.id))
            .where(condition)
        )
    ).first()
    if row is None:
        raise unknown_booking()
    return BookingDetails(*row)


def promise_mail(
    session: AsyncSession,
    booking_id: int,
    kind: MailKind,
    now: datetime,
    data: dict[str, Any] | None = None,
    *,
    mail_round: int = 0,
) -> None:
    """Put a mail into the outbox, in the transaction of its reason."""
    session.add(
        Mail(booking_id=booking_id, kind=kind, round=mail_round, data=data or {}, created_at=now, due_at=now)
    )


def promise_waiting_mail(session: AsyncSession, entry_id: int, kind: MailKind, now: datetime) -> None:
    """Put a mail to somebody who waits into the outbox, in the transaction of its reason."""
    session.add(Mail(waiting_entry_id=entry_id, kind=kind, created_at=now, due_at=now))


def known_id(row_id: int | None) -> int:
    """Return the id of a row that is in the database."""
    if row_id is None:
        raise ValueError("this row was not flushed yet")
    return row_id

"""Bookings in SQL: reserving a seat, moving a booking through its states, reading it."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import Refused, Stale
from models.rules.booking import (
    FINAL_STATES,
    FIRST_MAIL,
    BookingEvent,
    BookingState,
    MailKind,
    transition,
)
from models.store.database import WORK_CHANNEL
from models.tables import Backend, Booking, BookingLog, Mail, Seat, Workshop

_FINAL = [state.value for state in FINAL_STATES]


@dataclass(frozen=True)
class Reservation:
    """What a student asks for; checked and normalised by models.rules."""

    workshop_key: str
    email: str
    email_key: str
    name: str
    company: str = ""


@dataclass(frozen=True)
class BookingDetails:
    """A booking with everything that belongs to it."""

    booking: Booking
    workshop: Workshop
    seat: Seat
    backend: Backend


async def reserve(session: AsyncSession, reservation: Reservation, now: datetime) -> Booking:
    """Take a free seat for a student and promise the welcome mail.

    The lock on the workshop's row makes bookings of one workshop wait for each other, so that its
    capacity is never exceeded. Workshops that share seats meet at the unique index on the seat.

    Raises:
        Refused: workshop_unknown, workshop_inactive, already_booked or workshop_full; the last two say
            in `retry_at` when trying again makes sense.
        SeatTaken: another workshop's booking took the same seat at the same moment; begin anew.
    """
    workshop = await _lock_offered_workshop(session, reservation.workshop_key)
    await _refuse_second_booking(session, reservation.email_key)
    running = (col(Booking.workshop_id) == workshop.id) & col(Booking.state).not_in(_FINAL)
    if (await session.scalar(select(func.count()).where(running)) or 0) >= workshop.capacity:
        raise await _full(session, workshop)
    seat = await _lock_free_seat(session, workshop)
    if seat is None:
        raise await _full(session, workshop)
    seat.generation += 1
    booking = Booking(
        reference=secrets.token_urlsafe(18),
        workshop_id=_known(workshop.id),
        seat_id=_known(seat.id),
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
            raise _already_booked(None) from None
        raise
    booking_id = _known(booking.id)
    session.add(BookingLog(booking_id=booking_id, at=now, event="reserve", state=BookingState.RESERVED))
    _promise_mail(session, booking_id, FIRST_MAIL, now)
    await announce_work(session)
    return booking


class SeatTaken(Exception):
    """Two bookings met at one seat; the transaction is lost and can simply be begun anew."""


async def move(
    session: AsyncSession,
    booking_id: int,
    state: BookingState,
    event: BookingEvent,
    now: datetime,
    *,
    owner: str | None = None,
    detail: str = "",
    **values: Any,
) -> BookingState:
    """Move a booking on from `state`, write the log and promise the mail that belongs to the step.

    `owner` is the lease that the caller works under; `values` are further columns to set. The booking's
    lease and failure count end with the state they belonged to; `due_at` is now unless given.

    Raises:
        Refused: transition_not_allowed.
        Stale: the booking is no longer in `state`, or the lease has passed to somebody else.
    """
    step = transition(state, event)
    statement = update(Booking).where(col(Booking.id) == booking_id, col(Booking.state) == state)
    if owner is not None:
        statement = statement.where(col(Booking.lease_owner) == owner)
    fresh = {} if event is BookingEvent.PREPARE else {"attempts": 0, "failure": "", "due_at": now} | _NO_LEASE
    changed = await session.execute(statement.values({"state": step.to} | fresh | values).returning(Booking.id))
    if changed.first() is None:
        raise Stale(
            "This booking has moved on in the meantime.",
            reason="booking_moved_on",
            detail=f"booking {booking_id} is not {state} under lease {owner}",
        )
    session.add(BookingLog(booking_id=booking_id, at=now, event=event, state=step.to, detail=detail))
    if step.mail:
        _promise_mail(session, booking_id, step.mail, now)
    await announce_work(session)
    return step.to


async def leave(session: AsyncSession, reference: str, now: datetime) -> Booking:
    """End a student's booking at the student's wish; a booking that ends or has ended stays as it is.

    Raises:
        Refused: booking_unknown.
    """
    booking = await session.scalar(
        select(Booking).where(col(Booking.reference) == reference).with_for_update()
    )
    if booking is None:
        raise unknown_booking()
    state = BookingState(booking.state)
    if state not in {BookingState.ENDING, BookingState.ABANDONING} | FINAL_STATES:
        await move(session, _known(booking.id), state, BookingEvent.LEAVE, now)
        await session.refresh(booking)
    return booking


async def log_step(session: AsyncSession, booking_id: int, step: str, now: datetime, detail: str = "") -> None:
    """Write down that a step of the present work is done."""
    booking = await session.get_one(Booking, booking_id)
    session.add(
        BookingLog(booking_id=booking_id, at=now, event="step", state=booking.state, detail=detail or step)
    )


async def details(session: AsyncSession, booking_id: int) -> BookingDetails:
    """Return a booking with its workshop, seat and backend."""
    return await _details(session, col(Booking.id) == booking_id)


async def details_by_reference(session: AsyncSession, reference: str) -> BookingDetails:
    """Return the booking that `reference` names, or refuse: booking_unknown."""
    return await _details(session, col(Booking.reference) == reference)


async def log_of(session: AsyncSession, booking_id: int) -> list[BookingLog]:
    """Return what happened to a booking, oldest first."""
    rows = await session.scalars(
        select(BookingLog).where(col(BookingLog.booking_id) == booking_id).order_by(col(BookingLog.id))
    )
    return list(rows)


async def sent_mails(session: AsyncSession, booking_id: int) -> Collection[MailKind]:
    """Return the kinds of mail that were accepted by the mail server for a booking."""
    rows = await session.scalars(
        select(Mail.kind).where(col(Mail.booking_id) == booking_id, col(Mail.sent_at).is_not(None))
    )
    return {MailKind(kind) for kind in rows}


async def announce_work(session: AsyncSession) -> None:
    """Wake the engines when this transaction commits."""
    await session.execute(text(f"NOTIFY {WORK_CHANNEL}"))


def unknown_booking() -> Refused:
    """Return the refusal for a reference that names no booking."""
    return Refused(
        "There is no such booking. Open the link from your mail again, or book anew.", reason="booking_unknown"
    )


_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


async def _details(session: AsyncSession, condition: Any) -> BookingDetails:
    row = (
        await session.execute(
            select(Booking, Workshop, Seat, Backend)
            .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
            .join(Seat, col(Seat.id) == col(Booking.seat_id))
            .join(Backend, col(Backend.id) == col(Seat.backend_id))
            .where(condition)
        )
    ).first()
    if row is None:
        raise unknown_booking()
    return BookingDetails(*row)


async def _lock_offered_workshop(session: AsyncSession, key: str) -> Workshop:
    workshop = await session.scalar(select(Workshop).where(col(Workshop.key) == key).with_for_update())
    if workshop is None or workshop.retired_at is not None:
        raise Refused("There is no such workshop. Choose one from the catalog.", reason="workshop_unknown")
    if not workshop.active:
        raise Refused(
            "This workshop is not offered at the moment. Choose another one from the catalog.",
            reason="workshop_inactive",
        )
    return workshop


async def _refuse_second_booking(session: AsyncSession, email_key: str) -> None:
    mine = select(Booking).where(col(Booking.email_key) == email_key, col(Booking.state).not_in(_FINAL))
    booking = await session.scalar(mine)
    if booking is not None:
        raise _already_booked(booking.ends_at)


async def _lock_free_seat(session: AsyncSession, workshop: Workshop) -> Seat | None:
    """Lock the free seat of the workshop that was used least; rows locked by others are passed over."""
    held = select(Booking.id).where(col(Booking.seat_id) == Seat.id, col(Booking.state).not_in(_FINAL))
    seat: Seat | None = await session.scalar(
        select(Seat)
        .where(
            col(Seat.number).between(workshop.seat_first, workshop.seat_last),
            col(Seat.retired).is_(False),
            ~held.exists(),
        )
        .order_by(col(Seat.generation), col(Seat.number))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return seat


async def _full(session: AsyncSession, workshop: Workshop) -> Refused:
    retry_at = await session.scalar(
        select(func.min(Booking.ends_at))
        .join(Seat, col(Seat.id) == col(Booking.seat_id))
        .where(
            col(Booking.state).not_in(_FINAL),
            (col(Booking.workshop_id) == workshop.id)
            | col(Seat.number).between(workshop.seat_first, workshop.seat_last),
        )
    )
    return Refused(
        "All seats of this workshop are taken. Please try again later.",
        reason="workshop_full",
        retry_at=retry_at,
    )


def _already_booked(ends_at: datetime | None) -> Refused:
    return Refused(
        "This e-mail address has a booking already, and can have one at a time. Finish that workshop, or"
        " end it with the link in its mail, then book the next one.",
        reason="already_booked",
        retry_at=ends_at,
    )


def _promise_mail(session: AsyncSession, booking_id: int, kind: MailKind, now: datetime) -> None:
    session.add(Mail(booking_id=booking_id, kind=kind, created_at=now, due_at=now))


def _known(row_id: int | None) -> int:
    """Return the id of a row that is in the database."""
    if row_id is None:
        raise ValueError("this row was not flushed yet")
    return row_id

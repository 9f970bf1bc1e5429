"""Due work in SQL: how engines share bookings and mails among each other by leases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import WebhookDelivery
from models.errors import Stale
from models.rules.booking import FINAL_STATES, BookingState, MailKind, Work, due_work
from models.store.bookings import announce_work, known_id
from models.store.predicates import is_booking, is_to_send, is_unfinished
from models.tables import Booking, BookingLog, Mail, Seat


@dataclass(frozen=True)
class BookingClaim:
    """Work on one booking that the caller's lease covers."""

    booking_id: int
    work: Work
    state: BookingState
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class MailClaim:
    """A mail of the outbox that the caller's lease covers: of a booking, or of a place in a line."""

    mail_id: int
    booking_id: int | None
    waiting_entry_id: int | None
    kind: MailKind
    round: int
    data: dict[str, Any]
    attempts: int
    created_at: datetime


async def claim_bookings(
    session: AsyncSession, owner: str, now: datetime, lease: timedelta, limit: int
) -> Sequence[BookingClaim]:
    """Take a lease on up to `limit` due bookings that nobody holds, the longest due first."""
    due = (
        select(Booking)
        .where(
            is_unfinished(),
            col(Booking.due_at) <= now,
            or_(col(Booking.lease_until).is_(None), col(Booking.lease_until) < now),
        )
        .order_by(col(Booking.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await session.scalars(due))
    for row in rows:
        row.lease_owner, row.lease_until = owner, now + lease
    return [claim for row in rows if (claim := _booking_claim(row, now))]


async def claim_booking(
    session: AsyncSession, booking_id: int, owner: str, now: datetime, lease: timedelta
) -> BookingClaim | None:
    """Take a lease on one booking, due or not; None when somebody holds it or nothing is left to do."""
    row = await session.scalar(select(Booking).where(is_booking(booking_id)).with_for_update(skip_locked=True))
    if row is None or row.state in FINAL_STATES or (row.lease_until is not None and row.lease_until >= now):
        return None
    row.lease_owner, row.lease_until = owner, now + lease
    return _booking_claim(row, now)


async def renew_leases(
    session: AsyncSession, owner: str, until: datetime, booking_ids: Collection[int]
) -> set[int]:
    """Prolong leases; return the bookings that still belong to `owner`. The others must be let go."""
    rows = await session.scalars(
        update(Booking)
        .where(col(Booking.id).in_(booking_ids), col(Booking.lease_owner) == owner)
        .values(lease_until=until)
        .returning(col(Booking.id))
        .execution_options(synchronize_session=False)
    )
    return {row for row in rows if row is not None}


async def postpone_booking(
    session: AsyncSession, claim: BookingClaim, owner: str, now: datetime, wait: timedelta, failure: str
) -> None:
    """Give up a lease after a failed attempt and set when the next one is due.

    Raises:
        Stale: the lease has passed to somebody else.

    """
    changed = await session.execute(
        update(Booking)
        .where(col(Booking.id) == claim.booking_id, col(Booking.lease_owner) == owner)
        .values(
            attempts=Booking.attempts + 1,
            # What is apologised for stays the reason of the apology.
            failure=Booking.failure if claim.work is Work.ABANDON else failure,
            due_at=now + wait,
            lease_owner=None,
            lease_until=None,
        )
        .returning(col(Booking.state))
    )
    state = changed.scalar()
    if state is None:
        raise Stale("Another engine works on this booking.", reason="lease_lost")
    session.add(BookingLog(booking_id=claim.booking_id, at=now, event="failure", state=state, detail=failure))


async def raise_generation(
    session: AsyncSession, booking_id: int, owner: str, machine_generation: int, now: datetime
) -> None:
    """Lift a booking and its seat above the generation that the machine serves; the work is due at once.

    A booking that isn't finished holds its seat alone (the index `one_booking_per_seat`), and each booking of
    the seat raises its generation. So a machine that is ahead of a booking whose lease we hold was served by
    bookings that the database has forgotten: it was restored from a backup that is older than the machine's
    records, and nobody whom it knows is on the seat.

    Raises:
        Stale: the lease has passed to somebody else, who may be the one that the machine serves.

    """
    booking = await session.scalar(
        select(Booking)
        .where(col(Booking.id) == booking_id, col(Booking.lease_owner) == owner)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if booking is None:
        raise Stale("Another engine works on this booking.", reason="lease_lost")
    seat = await session.get_one(Seat, booking.seat_id, with_for_update=True)
    seat.generation = booking.seat_generation = max(seat.generation, machine_generation) + 1
    booking.due_at, booking.lease_owner, booking.lease_until = now, None, None
    detail = (
        f"The machine has served generation {machine_generation} of the seat already: the database was restored"
        f" from an older backup. The work begins anew as generation {seat.generation}."
    )
    session.add(BookingLog(booking_id=booking_id, at=now, event="failure", state=booking.state, detail=detail))
    await announce_work(session)


async def release_booking(session: AsyncSession, booking_id: int, owner: str) -> None:
    """Give up a lease under which nothing was done."""
    await session.execute(
        update(Booking)
        .where(col(Booking.id) == booking_id, col(Booking.lease_owner) == owner)
        .values(lease_owner=None, lease_until=None)
    )


async def release_leases(session: AsyncSession, owner: str) -> None:
    """Give up all leases of an engine that stops, so that others take over at once."""
    for table in (Booking, Mail, WebhookDelivery):
        await session.execute(
            update(table).where(col(table.lease_owner) == owner).values(lease_owner=None, lease_until=None)
        )


async def claim_mail(
    session: AsyncSession,
    owner: str,
    now: datetime,
    lease: timedelta,
    due_before: datetime,
    booking_id: int | None = None,
    *,
    of_lines: bool = False,
) -> MailClaim | None:
    """Take a lease on the longest promised due mail that nobody holds; of one booking, or of lines, if wished."""
    due = (
        select(Mail)
        .where(
            is_to_send(),
            col(Mail.due_at) <= due_before,
            or_(col(Mail.lease_until).is_(None), col(Mail.lease_until) < now),
        )
        .order_by(col(Mail.due_at), col(Mail.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if booking_id is not None:
        due = due.where(col(Mail.booking_id) == booking_id)
    if of_lines:
        due = due.where(col(Mail.waiting_entry_id).is_not(None))
    mail = await session.scalar(due)
    if mail is None:
        return None
    mail.lease_owner, mail.lease_until = owner, now + lease
    return _mail_claim(mail)


async def mark_mail_sent(session: AsyncSession, mail_id: int, owner: str, now: datetime) -> None:
    """Note that the mail server accepted a mail."""
    await session.execute(
        update(Mail)
        .where(col(Mail.id) == mail_id, col(Mail.lease_owner) == owner)
        .values(sent_at=now, lease_owner=None, lease_until=None, failure="")
    )


async def postpone_mail(
    session: AsyncSession, claim: MailClaim, owner: str, now: datetime, wait: timedelta | None, failure: str
) -> None:
    """Note a failed attempt and when the next is due; `wait` None gives the mail up."""
    values: dict[str, Any] = {"given_up_at": now} if wait is None else {"due_at": now + wait}
    await session.execute(
        update(Mail)
        .where(col(Mail.id) == claim.mail_id, col(Mail.lease_owner) == owner)
        .values(attempts=Mail.attempts + 1, failure=failure, lease_owner=None, lease_until=None, **values)
    )


def _booking_claim(row: Booking, now: datetime) -> BookingClaim | None:
    state = BookingState(row.state)
    work = due_work(state, row.ends_at, now)
    if work is None or row.id is None:
        return None
    return BookingClaim(row.id, work, state, row.attempts, row.created_at)


def _mail_claim(row: Mail) -> MailClaim:
    return MailClaim(
        known_id(row.id),
        row.booking_id,
        row.waiting_entry_id,
        MailKind(row.kind),
        row.round,
        row.data,
        row.attempts,
        row.created_at,
    )

"""Lines for workshops that are full, in SQL: joining one, looking, and leaving it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused, Stale
from models.rules.booking import MailKind
from models.rules.waiting import IN_LINE, WaitingEvent, WaitingState, waiting_step
from models.store.availability import next_free_seat
from models.store.bookings import announce_seats, known_id, promise_waiting_mail
from models.store.free_seats import lines
from models.store.predicates import is_being_sent, is_in_line, is_to_send, is_unfinished_of
from models.store.reservations import (
    Reservation,
    already_booked,
    lock_offered_workshop,
    lock_seat_for_others,
)
from models.tables import Booking, Mail, WaitingEntry, Workshop

# Whoever joins and leaves in turn, for somebody else's address, has one mail sent there in this time.
_WRITTEN_AGAIN_AFTER = timedelta(hours=1)


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

    Whoever had this mail within the last hour gets no other one: its link to the own page shows the new place.

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
    if not await _was_written_to(session, workshop, wish.email_key, now):
        promise_waiting_mail(session, known_id(entry.id), MailKind.WAITING, now)
    await announce_seats(session)
    return entry


async def place(session: AsyncSession, reference: str, hour_seconds: float, now: datetime) -> Place:
    """Return the place in a line that `reference` names, or refuse: place_unknown."""
    return await _place(session, await entry_named(session, reference), hour_seconds, now)


async def places_of(session: AsyncSession, email_key: str, hour_seconds: float, now: datetime) -> list[Place]:
    """Return the places that an address has in lines now, oldest first."""
    entries = await session.scalars(
        select(WaitingEntry)
        .where(col(WaitingEntry.email_key) == email_key, is_in_line())
        .order_by(col(WaitingEntry.id))
    )
    return [await _place(session, entry, hour_seconds, now) for entry in list(entries)]


async def place_by_id(session: AsyncSession, entry_id: int, hour_seconds: float, now: datetime) -> Place:
    """Return a place in a line."""
    return await _place(session, await session.get_one(WaitingEntry, entry_id), hour_seconds, now)


async def leave_line(session: AsyncSession, reference: str, now: datetime) -> None:
    """Give up a place in a line, or an offer, and drop its mails; what is in no line any more stays as it is.

    Raises:
        Refused: place_unknown.

    """
    entry = await entry_named(session, reference, for_update=True)
    state = WaitingState(entry.state)
    if state in IN_LINE:
        await move_place(session, entry, WaitingEvent.LEAVE, now)
        await session.execute(
            update(Mail)
            .where(col(Mail.waiting_entry_id) == entry.id, is_to_send(), ~is_being_sent(now))
            .values(given_up_at=now, attempts=0)
        )
        await announce_seats(session)


async def close_lines_of_retired(session: AsyncSession, now: datetime) -> None:
    """End all places in lines, offers too, for workshops that were retired."""
    entries = await session.scalars(
        select(WaitingEntry)
        .join(Workshop, col(Workshop.id) == col(WaitingEntry.workshop_id))
        .where(col(Workshop.retired_at).is_not(None), is_in_line())
        .order_by(col(WaitingEntry.id))
        .with_for_update(of=WaitingEntry)
    )
    found = list(entries)
    for entry in found:
        await move_place(session, entry, WaitingEvent.CLOSE, now)
    if found:
        await announce_seats(session)


def unknown_place() -> Refused:
    """Return the refusal for a reference that names no place in a line."""
    return Refused(
        "There is no such place on a waiting list. Open the link from your mail again, or join the list anew.",
        reason="place_unknown",
    )


async def move_place(
    session: AsyncSession, entry: WaitingEntry, event: WaitingEvent, now: datetime, **values: Any
) -> None:
    """Move a place on by `event`, and promise the mail that belongs to the step; `values` are further columns.

    Raises:
        Stale: it has moved on in the meantime.

    """
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


async def entry_named(session: AsyncSession, reference: str, *, for_update: bool = False) -> WaitingEntry:
    """Return the row of a place in a line, locked if it is to be changed; refuse: place_unknown."""
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
        select(Booking).where(col(Booking.workshop_id) == workshop.id, is_unfinished_of(email_key))
    )
    if booking is not None:
        raise already_booked(booking.ends_at)


async def _refuse_second_place(session: AsyncSession, workshop: Workshop, email_key: str) -> None:
    if await session.scalar(
        select(col(WaitingEntry.id)).where(
            col(WaitingEntry.workshop_id) == workshop.id,
            col(WaitingEntry.email_key) == email_key,
            is_in_line(),
        )
    ):
        raise Refused(
            "This e-mail address is in the line already. The mail about it has a link to its place.",
            reason="already_waiting",
        )


async def _was_written_to(session: AsyncSession, workshop: Workshop, email_key: str, now: datetime) -> bool:
    """Tell whether an address was sent a mail about its place in this line of late, or is being sent one."""
    return bool(
        await session.scalar(
            select(
                exists().where(
                    col(Mail.waiting_entry_id) == col(WaitingEntry.id),
                    col(Mail.kind) == MailKind.WAITING,
                    col(Mail.created_at) > now - _WRITTEN_AGAIN_AFTER,
                    or_(col(Mail.sent_at).is_not(None), is_being_sent(now)),
                    col(WaitingEntry.workshop_id) == workshop.id,
                    col(WaitingEntry.email_key) == email_key,
                )
            )
        )
    )


async def _line_full(session: AsyncSession, workshop: Workshop, hour_seconds: float, now: datetime) -> Refused:
    return Refused(
        "The line for this workshop takes nobody any more. Please try again later.",
        reason="line_full",
        retry_at=await next_free_seat(session, known_id(workshop.id), hour_seconds, now),
    )

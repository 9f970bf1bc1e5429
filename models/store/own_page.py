"""What the programme knows of one student, in SQL; and making the session under way longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.rules.booking import BookingEvent, BookingState, reminder_time
from models.rules.extending import extension_obstacle
from models.rules.signed_links import unknown_link
from models.rules.waiting import WaitingState
from models.store.badges import EarnedBadge, badges_of
from models.store.bookings import known_id, move
from models.store.predicates import is_on_offer, is_unfinished, is_unfinished_of
from models.store.story import Story, story
from models.store.waiting import Place, places_of
from models.tables import Booking, Seat, WaitingEntry, Workshop

_HISTORY_LENGTH = 200


@dataclass(frozen=True)
class StudentRecord:
    """Whom an address belongs to, as the booking or place in a line says that a link was mailed for."""

    name: str
    email: str
    email_key: str


@dataclass(frozen=True)
class OwnRecords:
    """All that is known of an address: the session under way, places in lines, badges, and what is over.

    `is_awaited`: somebody waits for the seat of the session under way.
    """

    under_way: Story | None
    is_awaited: bool
    places: Sequence[Place]
    badges: Sequence[EarnedBadge]
    past: Sequence[tuple[Booking, Workshop]]


async def student_of(session: AsyncSession, reference: str) -> StudentRecord:
    """Return whom a booking or a place in a line belongs to.

    Raises:
        Refused: link_unknown, also when the student was forgotten.

    """
    booking = await session.scalar(select(Booking).where(col(Booking.reference) == reference))
    entry = await session.scalar(select(WaitingEntry).where(col(WaitingEntry.reference) == reference))
    row = booking or entry
    if row is None or not row.email:
        raise unknown_link()
    return StudentRecord(row.name, row.email, row.email_key)


async def own_records(session: AsyncSession, email_key: str, hour_seconds: float, now: datetime) -> OwnRecords:
    """Return all that is known of an address."""
    booking = await booking_under_way(session, email_key)
    return OwnRecords(
        under_way=await story(session, booking.reference) if booking else None,
        is_awaited=await _is_awaited(session, booking) if booking else False,
        places=await places_of(session, email_key, hour_seconds, now),
        badges=await badges_of(session, email_key),
        past=await _past_bookings(session, email_key),
    )


async def booking_under_way(session: AsyncSession, email_key: str, *, for_update: bool = False) -> Booking | None:
    """Return the one booking of an address that isn't over, if there is one; locked if it is to be changed."""
    mine = select(Booking).where(is_unfinished_of(email_key))
    booking: Booking | None = await session.scalar(mine.with_for_update() if for_update else mine)
    return booking


async def extend(
    session: AsyncSession,
    email_key: str,
    now: datetime,
    *,
    limit: int,
    hours: float,
    reminder_hours: float,
    hour_seconds: float,
) -> None:
    """Make the open session of an address `hours` longer; an engine that was about to end it finds it moved on.

    Raises:
        Refused: extension_refused, with the obstacle.

    """
    booking = await booking_under_way(session, email_key, for_update=True)
    if booking is None or booking.ends_at is None:
        raise _refused_extension("There is no open session.")
    state = BookingState(booking.state)
    awaited = await _is_awaited(session, booking)
    obstacle = extension_obstacle(state, booking.ends_at, now, booking.extensions, limit, is_awaited=awaited)
    if obstacle:
        raise _refused_extension(obstacle)
    ends_at = booking.ends_at + timedelta(seconds=hours * hour_seconds)
    await move(
        session,
        known_id(booking.id),
        state,
        BookingEvent.EXTEND,
        now,
        ends_at=ends_at,
        extensions=booking.extensions + 1,
        due_at=reminder_time(ends_at, now, reminder_hours, hour_seconds),
    )


async def _past_bookings(session: AsyncSession, email_key: str) -> list[tuple[Booking, Workshop]]:
    """Return the bookings of an address that are over, the newest first; 200 at most."""
    rows = await session.execute(
        select(Booking, Workshop)
        .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
        .where(col(Booking.email_key) == email_key, not_(is_unfinished()))
        .order_by(col(Booking.id).desc())
        .limit(_HISTORY_LENGTH)
    )
    return list(rows.tuples())


async def _is_awaited(session: AsyncSession, booking: Booking) -> bool:
    """Tell whether somebody waits for the booking's workshop, or for another one that uses its seat."""
    return bool(
        await session.scalar(
            select(
                exists().where(
                    col(WaitingEntry.state) == WaitingState.WAITING,
                    col(Workshop.id) == col(WaitingEntry.workshop_id),
                    is_on_offer(),
                    col(Seat.id) == booking.seat_id,
                    or_(
                        col(Workshop.id) == booking.workshop_id,
                        col(Seat.number).between(col(Workshop.seat_first), col(Workshop.seat_last)),
                    ),
                )
            )
        )
    )


def _refused_extension(obstacle: str) -> Refused:
    return Refused(obstacle, reason="extension_refused")

"""Figures for operators, in SQL: what there is of everything, now and altogether. It reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import col

from models.door_tables import WebhookDelivery
from models.rules.booking import MailKind
from models.rules.waiting import WaitingState
from models.store.free_seats import is_free
from models.store.predicates import is_unfinished
from models.tables import Backend, Booking, Mail, Seat, WaitingEntry


@dataclass(frozen=True)
class SeatFigures:
    """The seats of a backend that is listed: how many are free, booked, and offered to who waits.

    Seats that nobody holds are not free before their backend is ready.
    """

    backend: str
    free: int
    booked: int
    offered: int


@dataclass(frozen=True)
class BookingFigures:
    """All bookings there ever were, by state, and how long it took until a seat was ready.

    `within` counts the bookings whose seat was ready within each of the limits, in seconds, those of lower ones
    included.
    """

    by_state: dict[str, int]
    within: tuple[int, ...]
    ready: int
    ready_seconds: float


async def seat_figures(session: AsyncSession) -> list[SeatFigures]:
    """Return the figures of the seats that may be given out or are in use, by backend."""
    rows = await session.execute(
        select(
            col(Backend.name),
            func.count(col(Seat.id)).filter(is_free()),
            func.count(col(Booking.id)),
            func.count(col(WaitingEntry.id)),
        )
        .select_from(Backend)
        .outerjoin(Seat, (col(Seat.backend_id) == col(Backend.id)) & col(Seat.retired).is_(False))
        .outerjoin(Booking, (col(Booking.seat_id) == col(Seat.id)) & is_unfinished())
        .outerjoin(
            WaitingEntry,
            (col(WaitingEntry.seat_id) == col(Seat.id)) & (col(WaitingEntry.state) == WaitingState.OFFERED),
        )
        .where(col(Backend.retired).is_(False))
        .group_by(col(Backend.number), col(Backend.name))
        .order_by(col(Backend.number))
    )
    return [SeatFigures(*row) for row in rows]


async def booking_figures(session: AsyncSession, limits: Sequence[float]) -> BookingFigures:
    """Return the figures of all bookings; this reads every one."""
    took = func.extract("epoch", col(Booking.ready_at) - col(Booking.created_at))
    rows = await session.execute(
        select(
            col(Booking.state),
            func.count(),
            func.count(took),
            func.coalesce(func.sum(took), 0),
            *(func.count().filter(took <= limit) for limit in limits),
        ).group_by(col(Booking.state))
    )
    found = [tuple(row) for row in rows]
    return BookingFigures(
        by_state={row[0]: row[1] for row in found},
        within=tuple(sum(row[place] for row in found) for place in range(4, 4 + len(limits))),
        ready=sum(row[2] for row in found),
        ready_seconds=float(sum(row[3] for row in found)),
    )


async def mail_figures(session: AsyncSession) -> dict[tuple[str, ...], int]:
    """Return how many mails there are, 0 included, by kind and by what became of them.

    They are sent, promised, given_up, or dropped: who it was for left the line, or was forgotten.
    """
    fate = case(
        (col(Mail.sent_at).is_not(None), literal("sent")),
        (col(Mail.given_up_at).is_(None), literal("promised")),
        (col(Mail.attempts) == 0, literal("dropped")),
        else_=literal("given_up"),
    )
    none = {(kind.value, each): 0 for kind in MailKind for each in ("sent", "promised", "dropped", "given_up")}
    return none | await _counts(session, col(Mail.kind), fate)


async def webhook_figures(session: AsyncSession) -> dict[tuple[str, ...], int]:
    """Return how many webhook deliveries of the last 30 days there are, by event and state, as partners see it."""
    fate = case(
        (col(WebhookDelivery.delivered_at).is_not(None), literal("delivered")),
        (col(WebhookDelivery.given_up_at).is_not(None), literal("given_up")),
        else_=literal("pending"),
    )
    return await _counts(session, col(WebhookDelivery.event), fate)


async def waiting_figures(session: AsyncSession) -> dict[str, int]:
    """Return how many places in lines there ever were, by state."""
    rows = await session.execute(select(col(WaitingEntry.state), func.count()).group_by(col(WaitingEntry.state)))
    return dict(rows.tuples().all())


async def _counts(
    session: AsyncSession, kind: Mapped[str], fate: ColumnElement[str]
) -> dict[tuple[str, ...], int]:
    labelled = select(kind.label("kind"), fate.label("fate")).subquery()
    rows = await session.execute(
        select(labelled.c.kind, labelled.c.fate, func.count()).group_by(labelled.c.kind, labelled.c.fate)
    )
    return {(row[0], row[1]): row[2] for row in rows}

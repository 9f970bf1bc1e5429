"""The catalog in SQL: workshops, and what is free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import distinct, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.rules.booking import FINAL_STATES
from models.tables import Backend, Booking, Seat, Workshop

_FINAL = [state.value for state in FINAL_STATES]

# A workshop is popular when it is among the ten that most different people booked.
POPULAR_COUNT = 10


@dataclass(frozen=True)
class Offer:
    """A workshop in the catalog, with the seats that are free now."""

    workshop: Workshop
    free_seats: int
    is_popular: bool


async def save_workshop(session: AsyncSession, key: str, values: dict[str, Any], now: datetime) -> bool:
    """Insert or update a workshop by its key; return whether anything changed.

    `updated_at` moves only with a change. A retired workshop comes back.
    """
    workshop = await session.scalar(select(Workshop).where(col(Workshop.key) == key).with_for_update())
    if workshop is None:
        session.add(Workshop(key=key, created_at=now, updated_at=now, **values))
        return True
    new = values | {"retired_at": None}
    changed = {name: value for name, value in new.items() if getattr(workshop, name) != value}
    for name, value in changed.items():
        setattr(workshop, name, value)
    if changed:
        workshop.updated_at = now
    return bool(changed)


async def workshops_of_others(session: AsyncSession, keys: Collection[str], source: str) -> dict[str, str]:
    """Return those of the keys that another catalog offers, each with that catalog's source."""
    rows = await session.execute(
        select(col(Workshop.key), col(Workshop.source)).where(
            col(Workshop.key).in_(keys), col(Workshop.source) != source, col(Workshop.retired_at).is_(None)
        )
    )
    return dict(rows.tuples().all())


async def retire_workshops_except(
    session: AsyncSession, keys: Collection[str], source: str, now: datetime
) -> list[str]:
    """Retire each workshop of a source whose key is not given; return their keys. Running bookings go on."""
    rows = await session.scalars(
        update(Workshop)
        .where(col(Workshop.key).not_in(keys), col(Workshop.source) == source, col(Workshop.retired_at).is_(None))
        .values(retired_at=now, active=False)
        .returning(col(Workshop.key))
        .execution_options(synchronize_session=False)
    )
    return sorted(rows)


async def digests_in_use(session: AsyncSession) -> set[str]:
    """Return the digests of the contents that workshops or unfinished bookings are rendered from."""
    offered = select(col(Workshop.content_digest))
    booked = select(col(Booking.content_digest)).where(col(Booking.state).not_in(_FINAL))
    return set(await session.scalars(offered.union(booked)))


async def offers(session: AsyncSession) -> Sequence[Offer]:
    """Return the workshops that can be booked, by priority and title."""
    running = (
        select(col(Booking.workshop_id), func.count().label("running"))
        .where(col(Booking.state).not_in(_FINAL))
        .group_by(col(Booking.workshop_id))
        .subquery()
    )
    held = select(col(Booking.id)).where(col(Booking.seat_id) == Seat.id, col(Booking.state).not_in(_FINAL))
    free = (
        select(func.count(col(Seat.id)))
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .where(
            col(Seat.number).between(Workshop.seat_first, Workshop.seat_last),
            col(Seat.retired).is_(False),
            col(Backend.ready_at).is_not(None),
            ~held.exists(),
        )
        .correlate(Workshop)
        .scalar_subquery()
    )
    left = col(Workshop.capacity) - func.coalesce(running.c.running, 0)
    rows = await session.execute(
        select(Workshop, func.greatest(0, func.least(left, free)))
        .outerjoin(running, running.c.workshop_id == col(Workshop.id))
        .where(col(Workshop.active).is_(True), col(Workshop.retired_at).is_(None))
        .order_by(col(Workshop.priority), col(Workshop.title))
    )
    popular = await _popular_ids(session)
    return [Offer(workshop, seats, workshop.id in popular) for workshop, seats in rows]


async def offer(session: AsyncSession, key: str) -> Offer:
    """Return one workshop that can be booked, or refuse: workshop_unknown."""
    for each in await offers(session):
        if each.workshop.key == key:
            return each
    raise Refused("There is no such workshop. Choose one from the catalog.", reason="workshop_unknown")


async def _popular_ids(session: AsyncSession) -> set[int]:
    rows = await session.scalars(
        select(col(Booking.workshop_id))
        .group_by(col(Booking.workshop_id))
        .order_by(func.count(distinct(col(Booking.email_key))).desc())
        .limit(POPULAR_COUNT)
    )
    return set(rows)

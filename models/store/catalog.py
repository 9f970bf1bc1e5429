"""The catalog in SQL: workshops, and what is free."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlalchemy.orm.interfaces import ORMOption
from sqlmodel import col

from models.errors import Refused
from models.rules.waiting import Room, SeatRange
from models.store.free_seats import awaited_ranges, is_free, lines
from models.store.predicates import is_on_offer, is_unfinished
from models.tables import Backend, Booking, Seat, Workshop

# A workshop is popular when it is among the ten that most different people booked.
POPULAR_COUNT = 10


@dataclass(frozen=True)
class Offer:
    """A workshop in the catalog, with the seats that can be booked now, and how many wait for one."""

    workshop: Workshop
    free_seats: int
    waiting: int


async def save_workshop(session: AsyncSession, key: str, values: dict[str, Any], now: datetime) -> bool:
    """Insert or update a workshop by its key; return whether anything changed.

    `updated_at` moves only with a change. A retired workshop comes back.
    """
    named = select(Workshop).where(col(Workshop.key) == key)
    workshop = await session.scalar(named.with_for_update(key_share=True))
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
    booked = select(col(Booking.content_digest)).where(is_unfinished())
    return set(await session.scalars(offered.union(booked)))


async def offers(session: AsyncSession) -> list[Offer]:
    """Return the workshops that can be booked, by priority and title; their `readme` is not read."""
    return await _offered(session, options=[defer(Workshop.readme, raiseload=True)])  # type: ignore[arg-type]


async def offer(session: AsyncSession, key: str) -> Offer:
    """Return one workshop that can be booked, or refuse: workshop_unknown."""
    # PostgreSQL can't even compare some of the others.
    if key.isprintable():
        for found in await _offered(session, col(Workshop.key) == key):
            return found
    raise Refused("There is no such workshop. Choose one from the catalog.", reason="workshop_unknown")


async def popular_workshops(session: AsyncSession) -> set[int]:
    """Return the ids of the workshops that most different people booked; this reads all bookings of all times."""
    # To group twice is faster than to count what is distinct, which sorts all rows.
    people = select(col(Booking.workshop_id), col(Booking.email_key)).distinct().subquery()
    rows = await session.scalars(
        select(people.c.workshop_id)
        .group_by(people.c.workshop_id)
        .order_by(func.count().desc())
        .limit(POPULAR_COUNT)
    )
    return set(rows)


async def _offered(
    session: AsyncSession, *conditions: ColumnElement[bool], options: Sequence[ORMOption] = ()
) -> list[Offer]:
    running = (
        select(col(Booking.workshop_id), func.count().label("running"))
        .where(is_unfinished())
        .group_by(col(Booking.workshop_id))
        .subquery()
    )
    rows = await session.execute(
        select(Workshop, func.coalesce(running.c.running, 0))
        .outerjoin(running, running.c.workshop_id == col(Workshop.id))
        .where(is_on_offer(), *conditions)
        .order_by(col(Workshop.priority), col(Workshop.title))
        .options(*options)
    )
    found = await lines(session)
    free = await _free_seat_numbers(session)
    # What a line waits for is for nobody else; most workshops have none, and see the same seats.
    for_those_without = _outside(free, awaited_ranges(found, None))
    offered = []
    for workshop, running_now in rows:
        line = found.get(workshop.id)
        room = line.room if line else Room(workshop.capacity, running_now)
        seats = _outside(free, awaited_ranges(found, workshop.id)) if line else for_those_without
        in_range = bisect_right(seats, workshop.seat_last) - bisect_left(seats, workshop.seat_first)
        offered.append(Offer(workshop, room.for_others(in_range), room.waiting))
    return offered


async def _free_seat_numbers(session: AsyncSession) -> Sequence[int]:
    """Return the numbers of the seats that are free, in order; one that two backends have free comes twice."""
    rows = await session.scalars(
        select(col(Seat.number))
        .join(Backend, col(Backend.id) == col(Seat.backend_id))
        .where(is_free())
        .order_by(col(Seat.number))
    )
    return rows.all()


def _outside(numbers: Sequence[int], ranges: Sequence[SeatRange]) -> Sequence[int]:
    return [number for number in numbers if not any(number in each for each in ranges)] if ranges else numbers

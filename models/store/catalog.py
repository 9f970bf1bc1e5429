"""The catalog in SQL: workshops, backends and seats, and what is free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import distinct, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.rules.booking import FINAL_STATES
from models.store.bookings import known_id
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
    return dict(rows.all())


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
        .where(
            col(Seat.number).between(Workshop.seat_first, Workshop.seat_last),
            col(Seat.retired).is_(False),
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


async def save_backend(session: AsyncSession, backend: Backend, accounts: Sequence[str]) -> None:
    """Insert or update a backend and its seats; `accounts` are those of its seats from number 1 on.

    Seats beyond the last account are retired: not offered again, but their bookings go on.

    Raises:
        Refused: seat_in_use, when a seat with a booking would get another account.
    """
    values = backend.model_dump(include={"name", "number", "hub_url", "hub_api_url", "machine"})
    written = await session.execute(
        insert(Backend)
        .values(**values, created_at=backend.created_at)
        .on_conflict_do_update(index_elements=["number"], set_=values)
        .returning(col(Backend.id))
    )
    backend_id = known_id(written.scalar_one())
    known = {
        seat.number: seat for seat in await session.scalars(select(Seat).where(col(Seat.backend_id) == backend_id))
    }
    for number, account in enumerate(accounts, start=1):
        seat = known.get(number)
        if seat is None:
            session.add(Seat(backend_id=backend_id, number=number, account=account))
        elif seat.account != account or seat.retired:
            # Only what differs is written: a seat that is written can't be booked at that moment.
            await _refuse_rename_in_use(session, seat, account)
            seat.account, seat.retired = account, False
    await session.execute(
        update(Seat)
        .where(
            col(Seat.backend_id) == backend_id,
            col(Seat.number) > len(accounts),
            col(Seat.retired).is_(False),
        )
        .values(retired=True)
    )


async def _refuse_rename_in_use(session: AsyncSession, seat: Seat, account: str) -> None:
    held = select(col(Booking.id)).where(col(Booking.seat_id) == seat.id, col(Booking.state).not_in(_FINAL))
    if seat.account != account and await session.scalar(held.limit(1)) is not None:
        raise Refused(
            f"The seat {seat.account} is in use and can't become {account}. Set seat_prefix and port_base back,"
            " or end its booking first.",
            reason="seat_in_use",
        )


async def _popular_ids(session: AsyncSession) -> set[int]:
    rows = await session.scalars(
        select(col(Booking.workshop_id))
        .group_by(col(Booking.workshop_id))
        .order_by(func.count(distinct(col(Booking.email_key))).desc())
        .limit(POPULAR_COUNT)
    )
    return set(rows)

"""Backends in SQL: which there are, which seats they have, and whether those may be given out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.store.bookings import known_id
from models.store.predicates import is_unfinished
from models.tables import Backend, Booking, Seat

# What a list says of a backend. When one of `_WHERE` changes, its seats have to be seen there anew.
_LISTED = ("name", "hub_url", "hub_api_url", "machine", "homes", "isolation", "seat_agent")
_WHERE = ("machine", "homes", "isolation")


@dataclass(frozen=True)
class BackendCondition:
    """How a backend that is listed is doing; `seats` are those that may be given out or are in use.

    `failure` is about its seats, `hub_failure` about its hub.
    """

    name: str
    machine: str
    seats: int
    is_ready: bool
    failure: str
    hub_failure: str = ""

    @property
    def is_well(self) -> bool:
        """Whether all its seats were there, and its hub answered, when they were last looked at."""
        return self.is_ready and not self.failure and not self.hub_failure


async def take_in_backends(session: AsyncSession, listed: Sequence[Backend], seats: Mapping[int, int]) -> None:
    """Make the platform's backends those that are listed, told apart by number; twice changes nothing.

    `seats` is how many seats each has, by its number. New seats are not offered before `offer_backend`; seats
    beyond, and those of backends that aren't listed any more, are retired, and their bookings go on.

    Raises:
        Refused: backend_renumbered or backend_in_use, when bookings would be looked for on another machine.

    """
    await session.execute(text("LOCK TABLE backend IN SHARE ROW EXCLUSIVE MODE"))
    known = {row.number: row for row in await session.scalars(select(Backend))}
    for backend in listed:
        await _refuse_confusion(session, known, backend)
    for number, row in known.items():
        row.retired = number not in seats
        await _retire_seats_beyond(session, row, seats.get(number, 0))
    for backend in listed:
        if (found := known.get(backend.number)) is None:
            session.add(Backend(**backend.model_dump(exclude={"id"})))
            continue
        if any(getattr(found, name) != getattr(backend, name) for name in _WHERE):
            found.ready_at = None
        for name in _LISTED:
            setattr(found, name, getattr(backend, name))


async def offer_backend(session: AsyncSession, number: int, accounts: Sequence[str], now: datetime) -> None:
    """Offer the seats of a backend, since they are there; `accounts` are those of its seats from number 1 on.

    Seats beyond the last account are retired: not offered again, but their bookings go on.

    Raises:
        Refused: seat_in_use, when a seat with a booking would get another account.

    """
    locked = select(Backend).where(col(Backend.number) == number).with_for_update()
    backend = (await session.scalars(locked)).one()
    backend.ready_at = backend.ready_at or now
    backend.failure = ""
    backend_id = known_id(backend.id)
    rows = await session.scalars(select(Seat).where(col(Seat.backend_id) == backend_id))
    known = {seat.number: seat for seat in rows}
    for seat_number, account in enumerate(accounts, start=1):
        seat = known.get(seat_number)
        if seat is None:
            session.add(Seat(backend_id=backend_id, number=seat_number, account=account))
        elif seat.account != account or seat.retired:
            # Only what differs is written: a seat that is written can't be booked at that moment.
            await _refuse_rename_in_use(session, seat, account)
            seat.account, seat.retired = account, False
    await _retire_seats_beyond(session, backend, len(accounts))


async def note_backend_failure(session: AsyncSession, number: int, failure: str) -> None:
    """Note why the seats of a backend could not be made or seen."""
    await session.execute(update(Backend).where(col(Backend.number) == number).values(failure=failure))


async def note_hub(session: AsyncSession, number: int, failure: str) -> None:
    """Note why the hub of a backend does not answer, or that it does: an empty text."""
    await session.execute(
        update(Backend)
        .where(col(Backend.number) == number, col(Backend.hub_failure) != failure)
        .values(hub_failure=failure)
    )


async def listed_backends(session: AsyncSession) -> Sequence[Backend]:
    """Return the backends that are listed, by number."""
    rows = await session.scalars(
        select(Backend).where(col(Backend.retired).is_(False)).order_by(col(Backend.number))
    )
    return rows.all()


async def backend_conditions(session: AsyncSession) -> list[BackendCondition]:
    """Return how the listed backends are doing, by number."""
    counted = (
        select(func.count(col(Seat.id)))
        .where(col(Seat.backend_id) == Backend.id, col(Seat.retired).is_(False))
        .correlate(Backend)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Backend, counted).where(col(Backend.retired).is_(False)).order_by(col(Backend.number))
    )
    return [
        BackendCondition(row.name, row.machine, seats, row.ready_at is not None, row.failure, row.hub_failure)
        for row, seats in rows
    ]


async def _refuse_confusion(session: AsyncSession, known: Mapping[int, Backend], backend: Backend) -> None:
    for row in known.values():
        if row.name == backend.name and row.number != backend.number:
            raise Refused(
                f"{backend.name} is backend number {row.number} and can't become number {backend.number}. Give it"
                " its number back.",
                reason="backend_renumbered",
            )
    before = known.get(backend.number)
    if before is None or before.name == backend.name or before.machine == backend.machine:
        return
    held = (
        select(col(Booking.id))
        .join(Seat, col(Seat.id) == col(Booking.seat_id))
        .where(col(Seat.backend_id) == before.id, is_unfinished())
    )
    if await session.scalar(held.limit(1)) is not None:
        raise Refused(
            f"Backend number {backend.number} is {before.name}, which has bookings, and can't become"
            f" {backend.name}. Give {backend.name} another number, or end those bookings first.",
            reason="backend_in_use",
        )


async def _retire_seats_beyond(session: AsyncSession, backend: Backend, last: int) -> None:
    await session.execute(
        update(Seat)
        .where(col(Seat.backend_id) == backend.id, col(Seat.number) > last, col(Seat.retired).is_(False))
        .values(retired=True)
    )


async def _refuse_rename_in_use(session: AsyncSession, seat: Seat, account: str) -> None:
    held = select(col(Booking.id)).where(col(Booking.seat_id) == seat.id, is_unfinished())
    if seat.account != account and await session.scalar(held.limit(1)) is not None:
        raise Refused(
            f"The seat {seat.account} is in use and can't become {account}. Set seat_prefix and port_base back,"
            " or end its booking first.",
            reason="seat_in_use",
        )

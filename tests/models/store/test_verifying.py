"""That a seat that was given twice would be seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.store.backends import offer_backend, take_in_backends
from models.store.catalog import save_workshop
from models.store.database import Database
from models.store.verifying import known_bookings, seats_given_twice
from models.tables import Backend, Booking, utc_now

NOW = utc_now()
VALUES = {
    "title": "T", "description": "d", "active": True, "capacity": 5, "priority": 1, "seat_first": 1,
    "seat_last": 2, "duration_hours": 4.0, "source": "samples", "content_digest": "0" * 64,
}  # fmt: skip


def booking(name: str, seat: int, generation: int, begun: float, ended: float | None) -> Booking:
    values: dict[str, Any] = {
        "reference": name, "workshop_id": 1, "seat_id": seat, "seat_generation": generation, "email": name,
        "email_key": name, "name": name, "state": "ready" if ended is None else "ended", "duration_hours": 1,
        "content_digest": "0", "created_at": NOW + timedelta(minutes=begun),
        "finished_at": None if ended is None else NOW + timedelta(minutes=ended),
        "ready_at": NOW if name == "a" else None,
    }  # fmt: skip
    return Booking(**values)


@pytest.mark.parametrize(
    ("first", "second", "twice"),
    [
        ((1, 1, 0, 5), (1, 2, 5, None), 0),
        ((1, 1, 0, 5), (2, 1, 3, None), 0),
        ((1, 1, 0, 5), (1, 1, 5, None), 1),
        ((1, 1, 0, 5), (1, 2, 4, 9), 1),
        ((1, 1, 0, None), (1, 2, 4, None), 1),
    ],
)
async def test_seats_that_were_given_twice_are_seen(
    database: Database, first: tuple[Any, ...], second: tuple[Any, ...], twice: int
) -> None:
    async with database.transaction() as session:
        await take_in_backends(session, [Backend(name="be1", number=1, hub_url="", hub_api_url="")], {1: 2})
        await offer_backend(session, 1, ["student1", "student2"], NOW)
        await save_workshop(session, "WKSHP-A", VALUES, NOW)
        # What keeps this from happening is out of the way.
        await session.execute(text("DROP INDEX one_booking_per_seat"))
        await session.flush()
        session.add_all([booking("a", *first), booking("b", *second)])
    async with database.transaction() as session:
        assert await seats_given_twice(session) == twice
        known = await known_bookings(session)
    assert (set(known), known["a"].was_ready, known["b"].was_ready) == ({"a", "b"}, True, False)

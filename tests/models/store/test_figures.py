"""Figures of seats on a real PostgreSQL: what is free is what the catalog would give out."""

import pytest
from sqlalchemy import update
from store_samples import attend, book, full_workshop, join, offer, release, wish

from models.store.backends import offer_backend, take_in_backends
from models.store.catalog import offers
from models.store.figures import SeatFigures, seat_figures
from models.tables import Backend, Seat, utc_now

pytestmark = pytest.mark.integration


async def test_free_seats_are_those_that_the_catalog_gives_out(database):
    (booking,) = await full_workshop(database, backend_seats=6)
    await join(database, 1)
    await release(database, booking.id)
    await attend(database)
    await offer(database, "WKSHP-All", seats=(1, 6), backend_seats=6)
    await book(database, wish(2, "WKSHP-All"))
    async with database.transaction() as session:
        await session.execute(update(Seat).where(Seat.number == 6).values(retired=True))
        assert await seat_figures(session) == [SeatFigures("be1", free=3, booked=1, offered=1)]
        (free,) = [each.free_seats for each in await offers(session) if each.workshop.key == "WKSHP-All"]
        assert free == 3


async def test_seats_of_a_backend_that_moved_are_not_free_until_they_are_seen_there(database):
    await offer(database, backend_seats=2)
    async with database.transaction() as session:
        moved = Backend(
            name="be1", number=1, hub_url="http://hub", hub_api_url="http://hub/api", machine="wod@elsewhere"
        )
        await take_in_backends(session, [moved], {1: 2})
    async with database.transaction() as session:
        assert await seat_figures(session) == [SeatFigures("be1", free=0, booked=0, offered=0)]
    async with database.transaction() as session:
        await offer_backend(session, 1, ["student1", "student2"], utc_now())
        assert await seat_figures(session) == [SeatFigures("be1", free=2, booked=0, offered=0)]

"""Figures on a real PostgreSQL: free seats are what the catalog would give out, and each mail has its fate."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from store_samples import attend, book, full_workshop, join, offer, release, wish

from models.rules.booking import MailKind
from models.store.backends import offer_backend, take_in_backends
from models.store.catalog import offers
from models.store.figures import SeatFigures, mail_figures, seat_figures
from models.store.forgetting import forget_student
from models.store.work import claim_mail, postpone_mail
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


async def fail_to_send(database, wait):
    """Fail to send the mail that is due; with `wait` None, for good."""
    async with database.transaction() as session:
        now = utc_now()
        claim = await claim_mail(session, "engine", now, timedelta(minutes=1), now)
        await postpone_mail(session, claim, "engine", now, wait, "550 nobody@example.com is unknown")


async def test_a_mail_that_was_given_up_stays_so_and_those_of_a_forgotten_student_are_dropped(database):
    await offer(database, capacity=3)
    async with database.transaction() as session:
        none = await mail_figures(session)
    assert {kind for kind, _ in none} == {*MailKind}
    assert not any(none.values())
    await book(database, wish(1))
    await fail_to_send(database, None)
    await book(database, wish(2))
    await fail_to_send(database, timedelta(hours=1))
    await book(database, wish(3))
    await join(database, 4)
    for number in (1, 2, 3, 4):
        async with database.transaction() as session:
            await forget_student(session, wish(number).email_key, utc_now())
    async with database.transaction() as session:
        found = await mail_figures(session)
    counted = {("welcome", "given_up"): 1, ("welcome", "dropped"): 2, ("waiting", "dropped"): 1}
    assert {each: count for each, count in found.items() if count} == counted

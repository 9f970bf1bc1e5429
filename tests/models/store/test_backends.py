import asyncio
from collections import Counter

import pytest
from sqlalchemy import select, text

from models.errors import Refused
from models.store.backends import (
    backend_conditions,
    note_backend_failure,
    offer_backend,
    take_in_backends,
)
from models.store.bookings import details
from models.store.catalog import offers, save_workshop
from models.store.free_seats import SeatTaken
from models.store.reservations import Reservation, reserve
from models.tables import Backend, Seat, utc_now

pytestmark = pytest.mark.integration

WORKSHOP = "WKSHP-One"


def backend(number, **values):
    given = {
        "name": f"be{number}",
        "number": number,
        "hub_url": f"https://be{number}",
        "hub_api_url": f"https://be{number}:8010",
        "machine": f"wod@be{number}",
        "homes": "/student",
        "isolation": "accounts",
    }
    return Backend(**given | values)


def accounts(count):
    return [f"student{number}" for number in range(1, count + 1)]


async def take_in(database, seats, *backends):
    async with database.transaction() as session:
        await take_in_backends(session, backends or [backend(number) for number in seats], seats)


async def offer(database, seats):
    for number, count in seats.items():
        async with database.transaction() as session:
            await offer_backend(session, number, accounts(count), utc_now())


async def have_workshop(database, *, last=20, capacity=100):
    values = {
        "title": "", "description": "", "active": True, "capacity": capacity, "priority": 1, "seat_first": 1,
        "seat_last": last, "duration_hours": 2.0, "source": "/catalog", "content_digest": "0",
    }  # fmt: skip
    async with database.transaction() as session:
        await save_workshop(session, WORKSHOP, values, utc_now())


async def book(database, number):
    """Return the backend and the seat's number that a student gets."""
    address = f"student{number}@example.com"
    wish = Reservation(workshop_key=WORKSHOP, email=address, email_key=address, name="A Student")
    while True:
        try:
            async with database.transaction() as session:
                booking = await reserve(session, wish, utc_now(), hour_seconds=3600)
                found = await details(session, booking.id)
                return found.backend.name, found.seat.number
        except SeatTaken:
            continue


async def end_all(database):
    async with database.transaction() as session:
        await session.execute(text("UPDATE booking SET state = 'ended'"))


async def free_seats(database):
    async with database.transaction() as session:
        [offered] = await offers(session)
    return offered.free_seats


async def conditions(database):
    async with database.transaction() as session:
        return await backend_conditions(session)


async def test_only_seats_that_were_seen_are_given_out(database):
    await have_workshop(database)
    await take_in(database, {1: 2, 2: 3})
    assert await free_seats(database) == 0
    with pytest.raises(Refused) as refused:
        await book(database, 1)
    assert refused.value.reason == "workshop_full"

    await offer(database, {2: 3})
    assert await free_seats(database) == 3
    assert {await book(database, number) for number in range(3)} == {("be2", number) for number in (1, 2, 3)}
    with pytest.raises(Refused):
        await book(database, 4)
    await offer(database, {1: 2})
    assert (await book(database, 4))[0] == "be1"


async def test_the_load_spreads_in_proportion_to_the_seats(database):
    await have_workshop(database)
    await take_in(database, {1: 4, 2: 8})
    await offer(database, {1: 4, 2: 8})
    for number in range(6):
        await book(database, number)
    found = await asyncio.gather(*(book(database, number) for number in range(10, 13)))
    async with database.transaction() as session:
        held = "SELECT backend_id FROM seat JOIN booking ON seat_id = seat.id"
        counted = Counter(await session.scalars(text(held)))
    assert counted == {1: 3, 2: 6}
    assert len(set(found)) == 3


async def test_seats_are_used_in_turn_on_each_backend(database):
    await have_workshop(database)
    await take_in(database, {1: 3, 2: 3})
    await offer(database, {1: 3, 2: 3})
    for _ in range(2):
        seats = [await book(database, number) for number in range(6)]
        assert len(set(seats)) == 6
        await end_all(database)
    async with database.transaction() as session:
        assert set(await session.scalars(select(Seat.generation))) == {2}


async def test_the_range_holds_for_the_numbers_of_each_backend(database):
    await have_workshop(database, last=2)
    await take_in(database, {1: 5, 2: 5})
    await offer(database, {1: 5, 2: 5})
    assert await free_seats(database) == 4
    seats = {await book(database, number) for number in range(4)}
    assert seats == {(name, number) for name in ("be1", "be2") for number in (1, 2)}


async def test_what_vanishes_is_retired_and_its_bookings_go_on(database):
    await have_workshop(database)
    await take_in(database, {1: 2, 2: 2})
    await offer(database, {1: 2, 2: 2})
    before = [await book(database, number) for number in range(4)]
    assert Counter(name for name, _ in before) == {"be1": 2, "be2": 2}
    await take_in(database, {1: 1})
    async with database.transaction() as session:
        retired = await session.scalars(text("SELECT count(*) FROM seat WHERE retired"))
        assert retired.one() == 3
        running = await session.scalars(text("SELECT count(*) FROM booking WHERE state = 'reserved'"))
        assert running.one() == 4
    await end_all(database)
    assert await book(database, 5) == ("be1", 1)
    assert [each.name for each in await conditions(database)] == ["be1"]

    await take_in(database, {1: 1, 2: 2})
    assert await free_seats(database) == 0, "seats that nobody has looked at again were offered"
    await offer(database, {2: 2})
    assert await free_seats(database) == 2


async def test_a_backend_that_moved_is_looked_at_anew(database):
    await have_workshop(database)
    await take_in(database, {1: 2})
    await offer(database, {1: 2})
    await take_in(database, {1: 2}, backend(1, hub_url="https://elsewhere", name="renamed"))
    assert await free_seats(database) == 2
    await take_in(database, {1: 2}, backend(1, machine="wod@elsewhere"))
    assert await free_seats(database) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "be1", "number": 2}, "backend_renumbered"),
        ({"name": "be2", "number": 1, "machine": "wod@be2"}, "backend_in_use"),
    ],
)
async def test_a_running_booking_is_never_looked_for_on_another_machine(database, change, reason):
    await have_workshop(database)
    await take_in(database, {1: 2})
    await offer(database, {1: 2})
    await book(database, 1)
    with pytest.raises(Refused) as refused:
        await take_in(database, {change["number"]: 2}, backend(**change))
    assert refused.value.reason == reason
    assert [each.name for each in await conditions(database)] == ["be1"]
    await end_all(database)
    if reason == "backend_in_use":
        await take_in(database, {1: 2}, backend(**change))


async def test_conditions_tell_why_a_backend_is_not_ready(database):
    await take_in(database, {1: 2, 2: 3})
    await offer(database, {1: 2})
    async with database.transaction() as session:
        await note_backend_failure(session, 2, "be2 can't be reached.")
    first, second = await conditions(database)
    assert (first.is_well, first.seats) == (True, 2)
    assert (second.is_well, second.is_ready, second.seats) == (False, False, 0)
    assert second.failure == "be2 can't be reached."
    await offer(database, {2: 3})
    assert all(each.is_well for each in await conditions(database))


async def test_engines_that_start_together_take_the_same_list_in(database):
    await asyncio.gather(*(take_in(database, {1: 2, 2: 3}) for _ in range(4)))
    await asyncio.gather(*(offer(database, {1: 2, 2: 3}) for _ in range(4)))
    assert [each.seats for each in await conditions(database)] == [2, 3]

"""Offers of seats on a real PostgreSQL: who waits comes first, and what there is is never exceeded."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from store_samples import (
    KEEP,
    LONGEST,
    attend,
    book,
    full_workshop,
    join,
    mails_of,
    offer,
    outcome,
    release,
    state_of,
    take,
    wish,
)

from models.errors import Refused
from models.rules.booking import MailKind
from models.rules.waiting import WaitingState
from models.store.catalog import offers
from models.store.predicates import is_unfinished
from models.store.seat_offers import prolong_offer
from models.store.waiting import place
from models.tables import Booking, Mail, Seat, WaitingEntry, Workshop, utc_now

pytestmark = pytest.mark.integration


async def send_mails(database):
    async with database.transaction() as session:
        await session.execute(update(Mail).values(sent_at=utc_now()))


async def assert_nothing_is_exceeded(database):
    """No seat for two, and no workshop beyond its capacity, offers included."""
    async with database.transaction() as session:
        bookings = list(await session.scalars(select(Booking).where(is_unfinished())))
        entries = list(
            await session.scalars(select(WaitingEntry).where(WaitingEntry.state == WaitingState.OFFERED))
        )
        workshops = {each.id: each for each in await session.scalars(select(Workshop))}
        seats = {each.id: each for each in await session.scalars(select(Seat))}
    held = [*bookings, *entries]
    assert max(Counter(each.seat_id for each in held).values(), default=0) <= 1
    for workshop_id, count in Counter(each.workshop_id for each in held).items():
        assert count <= workshops[workshop_id].capacity
    for each in held:
        workshop = workshops[each.workshop_id]
        assert workshop.seat_first <= seats[each.seat_id].number <= workshop.seat_last


async def test_from_the_end_of_the_line_to_a_seat(database):
    (booking,) = await full_workshop(database)
    first, second = await join(database, 1), await join(database, 2)
    assert await attend(database) == []
    await release(database, booking.id)
    assert await outcome(database, wish(3)) == "workshop_full"
    assert await attend(database) == [booking.workshop_id]
    assert await attend(database) == []
    assert await state_of(database, first) == "offered"
    async with database.transaction() as session:
        assert (await place(session, second.reference, 3600, utc_now())).position == 1
    assert await outcome(database, wish(3)) == "workshop_full"
    assert await take(database, second.reference) == "offer_missing"
    seat = await take(database, first.reference)
    assert seat == booking.seat_id
    assert await take(database, first.reference) == seat
    assert await mails_of(database, first) == [MailKind.WAITING, MailKind.OFFER]
    assert await mails_of(database, second) == [MailKind.WAITING]
    async with database.transaction() as session:
        assert (await session.scalars(select(Booking.email).order_by(Booking.id.desc()))).first() == first.email


async def test_fifty_at_once_for_one_freed_seat(database):
    (booking,) = await full_workshop(database)
    entries = [await join(database, number) for number in range(5)]
    await release(database, booking.id)

    outcomes = await asyncio.gather(
        *(outcome(database, wish(100 + number)) for number in range(30)),
        *(attend(database) for _ in range(5)),
        *(take(database, each.reference) for each in entries),
        *(take(database, entries[0].reference) for _ in range(10)),
    )
    assert not [each for each in outcomes[:30] if isinstance(each, int)], "somebody who didn't wait got the seat"
    await attend(database)
    await assert_nothing_is_exceeded(database)
    states = [await state_of(database, each) for each in entries]
    assert states[0] in ("offered", "booked")
    assert states[1:] == ["waiting"] * 4


async def test_all_seats_at_once_go_to_the_line_and_to_nobody_twice(database):
    bookings = await full_workshop(database, seats=10)
    entries = [await join(database, number) for number in range(25)]
    await asyncio.gather(
        *(release(database, booking.id) for booking in bookings),
        *(attend(database) for _ in range(6)),
        *(outcome(database, wish(100 + number)) for number in range(15)),
    )
    await attend(database)
    await assert_nothing_is_exceeded(database)
    states = [await state_of(database, each) for each in entries]
    assert states == ["offered"] * 10 + ["waiting"] * 15
    taken = await asyncio.gather(*(take(database, each.reference) for each in entries for _ in range(2)))
    assert Counter(isinstance(each, int) for each in taken) == {True: 20, False: 30}
    await assert_nothing_is_exceeded(database)


async def test_capacity_below_the_seats_counts_offers(database):
    await offer(database, seats=(1, 10), capacity=2)
    first, second = await book(database, wish(1)), await book(database, wish(2))
    await join(database, 3)
    await join(database, 4)
    await release(database, first.id)
    assert len(await attend(database)) == 1
    assert await outcome(database, wish(5)) == "workshop_full"
    await release(database, second.id)
    assert len(await attend(database)) == 1
    await assert_nothing_is_exceeded(database)


async def test_more_free_seats_than_people_who_wait_are_for_everybody(database):
    bookings = await full_workshop(database, seats=3)
    await join(database, 1)
    for booking in bookings[:2]:
        await release(database, booking.id)
    assert isinstance(await outcome(database, wish(2)), int)
    assert await outcome(database, wish(3)) == "workshop_full"


async def test_a_line_keeps_the_seats_that_another_workshop_shares(database):
    await offer(database, "WKSHP-One", seats=(1, 2))
    await offer(database, "WKSHP-Two", seats=(2, 4))
    first = [await book(database, wish(number)) for number in (1, 2)]
    entry = await join(database, 3)
    for booking in first:
        async with database.transaction() as session:
            seat = await session.get_one(Seat, booking.seat_id)
        if seat.number == 2:
            shared = booking
    await release(database, shared.id)
    seats = [await outcome(database, wish(number, "WKSHP-Two")) for number in range(10, 13)]
    assert [isinstance(each, int) for each in seats] == [True, True, False], "the shared seat went to another line"
    async with database.transaction() as session:
        free = {each.workshop.key: each.free_seats for each in await offers(session)}
    assert free == {"WKSHP-One": 0, "WKSHP-Two": 0}
    await attend(database)
    assert await state_of(database, entry) == "offered"
    assert await outcome(database, wish(13, "WKSHP-Two")) == "workshop_full"
    await assert_nothing_is_exceeded(database)


async def test_workshops_that_share_seats_under_everything_at_once(database):
    await offer(database, "WKSHP-One", seats=(1, 8), capacity=6)
    await offer(database, "WKSHP-Two", seats=(5, 12), capacity=6)
    running = []
    for number in range(12):
        try:
            running.append(await book(database, wish(number, "WKSHP-One" if number % 2 else "WKSHP-Two")))
        except Refused:
            continue
    entries = []
    for number in range(100, 116):
        key = "WKSHP-One" if number % 2 else "WKSHP-Two"
        try:
            entries.append(await join(database, number, key))
        except Refused:
            continue
    assert entries
    await asyncio.gather(
        *(release(database, booking.id) for booking in running[::2]),
        *(attend(database) for _ in range(4)),
        *(outcome(database, wish(200 + n, "WKSHP-One" if n % 2 else "WKSHP-Two")) for n in range(20)),
        *(take(database, each.reference) for each in entries),
    )
    await attend(database)
    await assert_nothing_is_exceeded(database)
    await asyncio.gather(*(take(database, each.reference) for each in entries))
    await assert_nothing_is_exceeded(database)


async def test_an_offer_that_is_not_taken_goes_to_the_next(database):
    (booking,) = await full_workshop(database)
    first, second = await join(database, 1), await join(database, 2)
    await release(database, booking.id)
    await attend(database)
    await send_mails(database)
    late = utc_now() + KEEP + timedelta(seconds=1)
    for _ in range(2):
        await asyncio.gather(*(attend(database, late) for _ in range(3)))
    assert await state_of(database, first) == "expired"
    assert await state_of(database, second) == "offered"
    assert await take(database, first.reference) == "offer_expired"
    assert await mails_of(database, first) == [MailKind.WAITING, MailKind.OFFER, MailKind.OFFER_MISSED]
    again = await join(database, 1)
    assert again.reference != first.reference


async def test_an_offer_is_not_taken_after_its_end_even_before_an_engine_looks(database):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    await release(database, booking.id)
    await attend(database, utc_now() - 2 * KEEP)
    assert await take(database, entry.reference) == "offer_expired"


async def test_nobody_misses_an_offer_that_the_mail_server_has_not_taken_yet(database):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    await release(database, booking.id)
    begun = utc_now()
    await attend(database, begun)
    await attend(database, begun + 2 * KEEP)
    assert await state_of(database, entry) == "offered"
    async with database.transaction() as session:
        await prolong_offer(session, entry.id, begun + 3 * KEEP, LONGEST)
        await prolong_offer(session, entry.id, begun + 2 * KEEP, LONGEST)
    await send_mails(database)
    await attend(database, begun + 3 * KEEP - timedelta(seconds=1))
    assert await state_of(database, entry) == "offered"
    await attend(database, begun + 3 * KEEP)
    assert await state_of(database, entry) == "expired"


async def test_an_offer_whose_mail_never_goes_out_ends_all_the_same(database):
    (booking,) = await full_workshop(database)
    first, second = await join(database, 1), await join(database, 2)
    await release(database, booking.id)
    begun = utc_now()
    await attend(database, begun)
    await attend(database, begun + LONGEST)
    assert [await state_of(database, each) for each in (first, second)] == ["expired", "offered"]


async def test_an_offer_whose_mail_is_tried_again_and_again_ends_all_the_same(database):
    (booking,) = await full_workshop(database)
    first, second = await join(database, 1), await join(database, 2)
    await release(database, booking.id)
    begun = utc_now()
    await attend(database, begun)
    for now in (begun + KEEP / 2 * attempt for attempt in range(1, 9)):
        async with database.transaction() as session:
            await prolong_offer(session, first.id, now + KEEP, LONGEST)
        await attend(database, now)
        assert await state_of(database, first) == ("offered" if now < begun + LONGEST else "expired")
    assert await state_of(database, second) == "offered"


async def test_whoever_has_a_booking_may_wait_and_takes_the_offer_after_its_end(database):
    (booking,) = await full_workshop(database)
    await offer(database, "WKSHP-Two", seats=(10, 12))
    elsewhere = await book(database, wish(1, "WKSHP-Two"))
    entry = await join(database, 1)
    await release(database, booking.id)
    await attend(database)
    assert await take(database, entry.reference) == "already_booked"
    assert await state_of(database, entry) == "offered"
    await release(database, elsewhere.id)
    assert await take(database, entry.reference) == booking.seat_id


async def test_an_offered_seat_that_is_gone_is_replaced(database):
    bookings = await full_workshop(database, seats=2)
    entry = await join(database, 1)
    await release(database, bookings[0].id)
    await attend(database)
    async with database.transaction() as session:
        await session.execute(update(Seat).where(Seat.id == bookings[0].seat_id).values(retired=True))
    assert await take(database, entry.reference) == "workshop_full"
    await release(database, bookings[1].id)
    assert await take(database, entry.reference) == bookings[1].seat_id


async def test_nothing_is_offered_of_a_workshop_that_is_off(database):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    await offer(database, active=False, seats=(1, 1))
    await release(database, booking.id)
    assert await attend(database) == []
    await offer(database, seats=(1, 1))
    assert await attend(database) == [booking.workshop_id]
    assert await state_of(database, entry) == "offered"

"""What belongs to a student, in SQL: how far a session is, badges, and the page that holds it all."""

import asyncio
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import update
from store_samples import (
    book,
    finish,
    offer,
    release,
    row_of,
    session_of,
    wish,
)

from models.errors import Refused
from models.rules.badges import earns_badge
from models.rules.signed_links import BadgeCode, BadgeSort, fingerprint_of
from models.store.badges import award_earned_badges, badge_holders, badge_named, badges_of
from models.store.measures import MEASURED_AGAIN_AFTER, claim_measure, record_measure, wish_measure
from models.store.own_page import own_records
from models.tables import Booking, utc_now

pytestmark = pytest.mark.integration

EMAIL = "student1@example.com"


async def test_an_open_session_is_measured_once_for_all_who_look(database):
    await offer(database)
    booking = await session_of(database)
    waiting = await book(database, wish(2))
    now = utc_now()

    async def look(at, email=EMAIL):
        async with database.transaction() as session:
            await wish_measure(session, email, at)

    async def claim(at):
        async with database.transaction() as session:
            return await claim_measure(session, at)

    assert await claim(now) is None
    await look(now)
    await look(now, waiting.email_key)
    await look(now + timedelta(seconds=1))
    claims = await asyncio.gather(*(claim(now + timedelta(seconds=2)) for _ in range(4)))
    assert [each for each in claims if each] == [booking.id]
    await look(now + MEASURED_AGAIN_AFTER)
    assert await claim(now + MEASURED_AGAIN_AFTER) is None
    later = now + MEASURED_AGAIN_AFTER + timedelta(seconds=5)
    await look(later)
    assert await claim(later + timedelta(seconds=1)) == booking.id


async def test_what_was_measured_of_a_session_that_is_over_changes_nothing(database):
    await offer(database)
    booking = await session_of(database)

    async def record(generation, executed):
        async with database.transaction() as session:
            await record_measure(session, booking.id, generation, executed, 10)
        return (await row_of(database, booking)).cells_executed

    assert await record(booking.seat_generation, 3) == 3
    assert await record(booking.seat_generation + 1, 4) == 3
    await release(database, booking.id)
    assert await record(booking.seat_generation, 5) == 3


async def test_the_database_and_the_mails_agree_who_earns_a_badge(database):
    await offer(database)
    booking = await book(database, wish(1))
    await release(database, booking.id)
    for was_opened, executed, total in product([True, False], [None, 0, 1, 60], [None, 0, 60]):
        async with database.transaction() as session:
            ready_at = utc_now() if was_opened else None
            await session.execute(
                update(Booking).values(ready_at=ready_at, cells_executed=executed, cells_total=total)
            )
            badges, holders = await badges_of(session, EMAIL), await badge_holders(session)
        earned = earns_badge(was_opened=was_opened, cells_executed=executed, cells_total=total)
        assert len(badges) == earned
        assert holders.of_workshops == ({booking.workshop_id: 1} if earned else {})


async def test_badges_are_listed_once_and_named_by_their_codes(database):
    keys = [f"WKSHP-{number}" for number in range(3)]
    for key in keys:
        await offer(database, key)
    bookings = [await finish(database, 1, key) for key in [*keys, keys[0]]]
    async with database.transaction() as session:
        badges = await badges_of(session, EMAIL)
        assert [badge.title for badge in badges if badge.rung is None] == keys[::-1]
        (special,) = [badge for badge in badges if badge.rung]
        assert (special.title, special.booking.id) == ("Apprentice", bookings[2].id)
        code = BadgeCode(BadgeSort.SPECIAL, special.row_id, fingerprint_of(special.booking.reference))
        assert (await badge_named(session, code)).title == "Apprentice"
        second = BadgeCode(BadgeSort.WORKSHOP, bookings[3].id, fingerprint_of(bookings[3].reference))
        assert (await badge_named(session, second)).title == keys[0]
        holders = await badge_holders(session)
        assert holders.of_rungs == {3: 1}
        assert set(holders.of_workshops.values()) == {1}


@pytest.mark.parametrize("sort", BadgeSort)
async def test_a_row_that_came_again_after_a_restored_backup_proves_nothing(database, sort):
    await offer(database)
    booking = await finish(database, 1, "WKSHP-One")
    forgotten_twin = BadgeCode(sort, booking.id, fingerprint_of("the reference of a booking that was lost"))
    async with database.transaction() as session:
        with pytest.raises(Refused) as refusal:
            await badge_named(session, forgotten_twin)
    assert refusal.value.reason == "badge_unknown"


async def test_the_page_holds_what_belongs_to_the_address_alone(database):
    await offer(database)
    await finish(database, 1, "WKSHP-One")
    await finish(database, 2, "WKSHP-One")
    now = await session_of(database, 1)
    async with database.transaction() as session:
        records = await own_records(session, EMAIL, 3600, utc_now())
        await award_earned_badges(session, EMAIL, now.id, utc_now())
    assert records.under_way is not None
    assert records.under_way.found.booking.id == now.id
    assert [booking.email for booking, _ in records.past] == [EMAIL]
    assert len(records.badges) == 1
    assert not records.is_awaited

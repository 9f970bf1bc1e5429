"""Forgetting students on a real PostgreSQL: whatever happens at the same moment, nothing tells who they were."""

import asyncio
from datetime import timedelta

import pytest
from partner_samples import add_key
from partner_samples import book as book_as_partner
from sqlalchemy import or_, select, text, update
from store_samples import (
    attend,
    book,
    finish,
    full_workshop,
    join,
    offer,
    outcome,
    release,
    row_of,
    session_of,
    wish,
)

from models.door_tables import PartnerBooking, RememberedAnswer
from models.errors import Refused
from models.rules.booking import BookingEvent, BookingState
from models.rules.signed_links import BadgeCode, BadgeSort, fingerprint_of
from models.store.badges import badge_holders, badge_named
from models.store.bookings import expired_archives, move
from models.store.catalog import retire_workshops_except, save_workshop
from models.store.forgetting import forget_student, settle_ended
from models.store.own_page import student_of
from models.store.reservations import lock_offered_workshop
from models.store.seat_offers import take_offer
from models.store.waiting import close_lines_of_retired, entry_named
from models.tables import BadgeAward, Booking, Mail, utc_now

pytestmark = pytest.mark.integration

EMAIL = "student1@example.com"


async def everything(database):
    """Return all text that the database holds, in all tables."""
    async with database.transaction() as session:
        tables = await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        found = []
        for table in list(tables):
            rows = await session.scalars(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - its own name
            found += list(rows)
    return "\n".join(found)


async def give_to_partner(database, booking, **values):
    key_id, _ = await add_key(database)
    async with database.transaction() as session:
        session.add(PartnerBooking(booking_id=booking.id, api_key_id=key_id, **values))


async def mails_to_go(session, booking):
    """Return the mails about a booking that an engine would still send."""
    return list(
        await session.scalars(
            select(Mail).where(Mail.booking_id == booking.id, Mail.given_up_at.is_(None), Mail.sent_at.is_(None))
        )
    )


async def test_nothing_tells_who_a_forgotten_student_was_and_counts_stay(database):
    for key in ("WKSHP-One", "WKSHP-Two"):
        await offer(database, key, seats=(1, 1))
    past = await finish(database, 1, "WKSHP-One")
    await finish(database, 2, "WKSHP-One")
    await book(database, wish(3))
    await join(database, 1)
    async with database.transaction() as session:
        await session.execute(
            update(Booking).where(Booking.id == past.id).values(archive_until=utc_now() + timedelta(days=9))
        )
        await session.execute(
            text("INSERT INTO feedback (email, message, created_at) VALUES (:email, 'Hello', now())"),
            {"email": EMAIL.upper()},
        )
        await session.execute(
            update(Mail)
            .where(or_(Mail.booking_id == past.id, Mail.waiting_entry_id.is_not(None)))
            .values(failure=f"<{EMAIL}> does not exist")
        )
    await give_to_partner(database, past, partner_user="ana.example", return_url="https://partner.test/?user=ana")
    assert EMAIL in await everything(database)
    async with database.transaction() as session:
        assert await forget_student(session, EMAIL, utc_now())
    left = await everything(database)
    assert EMAIL not in left.casefold()
    assert "Student 1" not in left
    assert "ana" not in left
    assert "student2@example.com" in left
    async with database.transaction() as session:
        (people,) = await session.scalars(text("SELECT count(DISTINCT email_key) FROM booking"))
        assert people == 3
        assert (await badge_holders(session)).of_workshops[past.workshop_id] == 2
        assert await expired_archives(session, [past.id], utc_now() + timedelta(seconds=1)) == {past.id}
        assert not await mails_to_go(session, past)
        with pytest.raises(Refused) as refusal:
            await student_of(session, past.reference)
        assert refusal.value.reason == "link_unknown"
        code = BadgeCode(BadgeSort.WORKSHOP, past.id, fingerprint_of(past.reference))
        with pytest.raises(Refused) as refusal:
            await badge_named(session, code)
        assert refusal.value.reason == "badge_withdrawn"


async def test_what_a_partner_asked_for_a_forgotten_student_is_not_done_again(database):
    await offer(database)
    key_id, _ = await add_key(database)
    booking = await book_as_partner(database, key_id, idempotency_key="order-1")
    async with database.transaction() as session:
        await forget_student(session, booking.email_key, utc_now())
        assert list(await session.scalars(select(RememberedAnswer.request_digest))) == [""]
    with pytest.raises(Refused) as refusal:
        await book_as_partner(database, key_id, idempotency_key="order-1")
    assert refusal.value.reason == "idempotency_key_reused"
    async with database.transaction() as session:
        assert len(list(await session.scalars(select(Booking)))) == 1


async def test_a_session_under_way_is_ended_first_and_thanked_for_to_nobody(database):
    await offer(database)
    booking = await session_of(database)
    async with database.transaction() as session:
        assert not await forget_student(session, EMAIL, utc_now())
    assert EMAIL not in await everything(database)
    assert isinstance(await outcome(database, wish(1)), int), "a student who was forgotten is new"
    async with database.transaction() as session:
        now = utc_now()
        await move(session, booking.id, BookingState.ENDING, BookingEvent.RELEASE, now, finished_at=now)
        await settle_ended(session, booking.id, now)
    row = await row_of(database, booking)
    assert (row.state, row.email, row.forget) == (BookingState.ENDED, "", True)
    async with database.transaction() as session:
        assert not await mails_to_go(session, booking)
        assert not list(await session.scalars(select(BadgeAward)))


async def test_forgetting_and_the_end_of_a_session_at_the_same_moment(database):
    await offer(database)
    for number in range(10, 16):
        booking = await session_of(database, number)
        await release_to_ending(database, booking)

        async def end(booking=booking):
            async with database.transaction() as session:
                now = utc_now()
                await move(session, booking.id, BookingState.ENDING, BookingEvent.RELEASE, now, finished_at=now)
                await settle_ended(session, booking.id, now)

        async def forget(booking=booking):
            async with database.transaction() as session:
                await forget_student(session, booking.email_key, utc_now())

        await asyncio.gather(*(forget(), end()) if number % 2 else (end(), forget()))
        assert booking.email not in await everything(database)
        async with database.transaction() as session:
            assert not await mails_to_go(session, booking)


async def test_forgetting_while_an_offer_is_being_taken_leaves_no_booking(database):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    await release(database, booking.id)
    await attend(database)

    async def forget():
        async with database.transaction() as session:
            return await forget_student(session, EMAIL, utc_now())

    async with database.transaction() as session:
        taken = await take_offer(session, entry.reference, utc_now(), hour_seconds=3600)
        forgetting = asyncio.create_task(forget())
        await asyncio.wait([forgetting], timeout=0.5)
        assert not forgetting.done(), "what is being taken was not waited for"
    assert not await forgetting
    assert EMAIL not in await everything(database)
    row = await row_of(database, taken)
    assert (row.state, row.forget) == (BookingState.ENDING, True)


async def release_to_ending(database, booking):
    async with database.transaction() as session:
        await move(session, booking.id, BookingState.READY, BookingEvent.LEAVE, utc_now())


async def take_in_without(database, entry, is_locked):
    """Do what a catalog's sync does to a workshop that is not in it any more."""
    async with database.transaction() as session:
        await save_workshop(session, "WKSHP-One", {"title": "Changed"}, utc_now())
        await retire_workshops_except(session, [], "/catalog", utc_now())
        is_locked.set()
        await asyncio.sleep(0.3)  # long enough for forgetting to be done, or to wait
        await close_lines_of_retired(session, utc_now())


async def take_place(database, entry, is_locked):
    """Lock what the taking of an offer locks, in its order."""
    async with database.transaction() as session:
        await lock_offered_workshop(session, "WKSHP-One")
        is_locked.set()
        await asyncio.sleep(0.3)  # long enough for forgetting to be done, or to wait
        await entry_named(session, entry.reference, for_update=True)


@pytest.mark.parametrize("work", [take_in_without, take_place])
async def test_forgetting_somebody_in_line_waits_for_no_workshop(database, work):
    await full_workshop(database)
    entry = await join(database, 1)
    is_locked = asyncio.Event()

    async def forget():
        await is_locked.wait()
        async with database.transaction() as session:
            return await forget_student(session, EMAIL, utc_now())

    _, forgotten = await asyncio.gather(work(database, entry, is_locked), forget())
    assert forgotten
    assert EMAIL not in await everything(database)

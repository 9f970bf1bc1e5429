"""What a student can have done on the own page: longer sessions, measuring, badges, forgetting."""

import asyncio
from datetime import timedelta
from itertools import product

import pytest
from partner_samples import add_key
from partner_samples import book as book_as_user
from sqlalchemy import or_, select, text, update
from store_samples import attend, book, full_workshop, join, offer, open_session, outcome, release, wish

from models.door_tables import ApiKey, PartnerBooking, RememberedAnswer
from models.errors import Refused, Stale
from models.rules.badges import earns_badge
from models.rules.booking import BookingEvent, BookingState, MailKind
from models.rules.signed_links import BadgeCode, BadgeSort, fingerprint_of
from models.store.badges import award_earned_badges, badge_holders, badge_named, badges_of
from models.store.bookings import expired_archives, log_of, move
from models.store.forgetting import forget_student, settle_ended
from models.store.measures import MEASURED_AGAIN_AFTER, claim_measure, record_measure, wish_measure
from models.store.own_page import extend, own_records, student_of
from models.store.reservations import until_seated
from models.store.seat_offers import take_offer
from models.store.waiting import join_line
from models.store.work import claim_bookings
from models.tables import BadgeAward, Booking, Mail, WaitingEntry, utc_now

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
EMAIL = "student1@example.com"


async def session_of(database, number=1, hours=2.0, key="WKSHP-One"):
    booking = await book(database, wish(number, key))
    await open_session(database, booking.id, utc_now() + timedelta(hours=hours))
    return booking


async def prolong(database, *, limit=2, hours=1.0, now=None):
    async with database.transaction() as session:
        await extend(
            session, EMAIL, now or utc_now(), limit=limit, hours=hours, reminder_hours=1, hour_seconds=3600
        )


async def row_of(database, booking):
    async with database.transaction() as session:
        return await session.get_one(Booking, booking.id)


async def obstacle(database, **options):
    with pytest.raises(Refused) as refusal:
        await prolong(database, **options)
    assert refusal.value.reason == "extension_refused"
    return refusal.value.message


async def remind(database, booking, owner=None):
    async with database.transaction() as session:
        row = await session.get_one(Booking, booking.id)
        await move(
            session,
            booking.id,
            BookingState(row.state),
            BookingEvent.REMIND,
            utc_now(),
            owner=owner,
            mail_round=row.extensions,
            due_at=row.ends_at,
        )


async def test_a_session_is_longer_and_reminded_again(database):
    await offer(database)
    booking = await session_of(database, hours=0.5)
    before = await row_of(database, booking)
    await remind(database, booking)
    now = utc_now()
    await prolong(database, now=now)
    after = await row_of(database, booking)
    assert after.state == BookingState.READY
    assert after.ends_at == before.ends_at + timedelta(hours=1)
    assert after.due_at > now
    assert after.extensions == 1
    await remind(database, booking)
    async with database.transaction() as session:
        mails = await session.execute(
            select(Mail.round).where(Mail.booking_id == booking.id, Mail.kind == MailKind.REMINDER)
        )
        assert sorted(mails.scalars()) == [0, 1]
        assert [each.event for each in await log_of(session, booking.id)][-3:] == ["remind", "extend", "remind"]


@pytest.mark.parametrize(
    ("left_hours", "more_hours", "due_in_minutes"),
    [(2, 1, 120), (0.5, 1, 45), (0.1, 0.5, 18), (1, 4, 240)],
)
async def test_the_reminder_after_it_comes_an_hour_before_the_end_or_at_half(
    database, left_hours, more_hours, due_in_minutes
):
    await offer(database)
    booking = await session_of(database, hours=left_hours)
    now = utc_now()
    await prolong(database, hours=more_hours, now=now)
    due_in = (await row_of(database, booking)).due_at - now
    assert due_in.total_seconds() / 60 == pytest.approx(due_in_minutes, abs=1)


async def test_why_it_can_not_be_longer(database):
    await offer(database, seats=(1, 2))
    await offer(database, "WKSHP-Two", seats=(1, 4))
    assert "no open session" in await obstacle(database)
    booking = await session_of(database)
    await prolong(database)
    assert "once already" in await obstacle(database, limit=1)
    assert "fixed length" in await obstacle(database, limit=0)
    # The student's seat is one of the other workshop's, too, and somebody waits there.
    for number in range(10, 13):
        await outcome(database, wish(number, "WKSHP-Two"))
    await until_seated(
        database,
        lambda session: join_line(session, wish(20, "WKSHP-Two"), utc_now(), limit=9, hour_seconds=3600),
    )
    assert "Somebody waits" in await obstacle(database)
    async with database.transaction() as session:
        await session.execute(update(WaitingEntry).values(state="left"))
    await prolong(database)
    assert (await row_of(database, booking)).extensions == 2


async def test_an_engine_that_was_about_to_remind_or_end_it_is_stale(database):
    await offer(database)
    booking = await session_of(database, hours=0.01)
    async with database.transaction() as session:
        (claim,) = await claim_bookings(session, "engine", utc_now(), LEASE, 1)
    await prolong(database)
    for event in (BookingEvent.EXPIRE, BookingEvent.REMIND):
        with pytest.raises(Stale):
            async with database.transaction() as session:
                await move(session, claim.booking_id, BookingState.READY, event, utc_now(), owner="engine")
    assert (await row_of(database, booking)).state == BookingState.READY
    async with database.transaction() as session:
        assert not await claim_bookings(session, "engine", utc_now(), LEASE, 1)


async def test_a_session_that_no_engine_has_ended_in_time_is_over_all_the_same(database):
    await offer(database)
    booking = await session_of(database, hours=-5)
    assert "is over" in await obstacle(database)
    assert (await row_of(database, booking)).extensions == 0


async def test_many_presses_stay_within_the_limit(database):
    await offer(database)
    booking = await session_of(database)
    before = (await row_of(database, booking)).ends_at

    async def press():
        try:
            await prolong(database)
        except Refused:
            return False
        return True

    assert sum(await asyncio.gather(*(press() for _ in range(8)))) == 2
    assert (await row_of(database, booking)).ends_at == before + timedelta(hours=2)


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


async def finish(database, number, key, executed=1):
    booking = await session_of(database, number, key=key)
    async with database.transaction() as session:
        await session.execute(
            update(Booking).where(Booking.id == booking.id).values(cells_executed=executed, cells_total=4)
        )
    await release(database, booking.id)
    async with database.transaction() as session:
        await settle_ended(session, booking.id, utc_now())
    return booking


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


async def everything(database):
    """Return all text that the database holds, in all tables."""
    async with database.transaction() as session:
        tables = await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        found = []
        for table in list(tables):
            rows = await session.scalars(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - its own name
            found += list(rows)
    return "\n".join(found)


async def book_as_partner(database, booking, **values):
    async with database.transaction() as session:
        key = ApiKey(name="partner", key_digest="", scopes=[], request_rate="1/minute", bookings_at_once=1)
        session.add(key)
        await session.flush()
        session.add(PartnerBooking(booking_id=booking.id, api_key_id=key.id, **values))


async def test_nothing_tells_who_a_forgotten_student_was_and_counts_stay(database):
    for key in ("WKSHP-One", "WKSHP-Two"):
        await offer(database, key, seats=(1, 1))
    past = await finish(database, 1, "WKSHP-One")
    await finish(database, 2, "WKSHP-One")
    await book(database, wish(3))
    await until_seated(
        database, lambda session: join_line(session, wish(1), utc_now(), limit=9, hour_seconds=3600)
    )
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
    await book_as_partner(database, past, partner_user="ana.example", return_url="https://partner.test/?user=ana")
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
        unsent = await session.scalars(
            select(Mail.id).where(Mail.booking_id == past.id, Mail.sent_at.is_(None), Mail.given_up_at.is_(None))
        )
        assert not list(unsent)
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
    booking = await book_as_user(database, key_id, idempotency_key="order-1")
    async with database.transaction() as session:
        await forget_student(session, booking.email_key, utc_now())
        assert list(await session.scalars(select(RememberedAnswer.request_digest))) == [""]
    with pytest.raises(Refused) as refusal:
        await book_as_user(database, key_id, idempotency_key="order-1")
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
        mails = await session.scalars(
            select(Mail).where(Mail.booking_id == booking.id, Mail.given_up_at.is_(None), Mail.sent_at.is_(None))
        )
        assert not list(mails)
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
            mails = await session.scalars(
                select(Mail).where(
                    Mail.booking_id == booking.id, Mail.given_up_at.is_(None), Mail.sent_at.is_(None)
                )
            )
            assert not list(mails)


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

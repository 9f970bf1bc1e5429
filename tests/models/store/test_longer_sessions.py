"""Longer sessions on a real PostgreSQL: how often, how long, and who hears of it too late."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from store_samples import (
    join,
    offer,
    outcome,
    row_of,
    session_of,
    wish,
)

from models.errors import Refused, Stale
from models.rules.booking import BookingEvent, BookingState, MailKind
from models.store.bookings import log_of, move
from models.store.own_page import extend
from models.store.work import claim_bookings
from models.tables import Booking, Mail, WaitingEntry, utc_now

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
EMAIL = "student1@example.com"


async def prolong(database, *, limit=2, hours=1.0, now=None):
    async with database.transaction() as session:
        await extend(
            session, EMAIL, now or utc_now(), limit=limit, hours=hours, reminder_hours=1, hour_seconds=3600
        )


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
    await join(database, 20, "WKSHP-Two")
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

"""Lines on a real PostgreSQL: who may join one, where a place is, and how it ends."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from store_samples import (
    attend,
    full_workshop,
    join,
    mails_of,
    offer,
    open_session,
    release,
    state_of,
    take,
)

from models.errors import Refused
from models.rules.booking import MailKind
from models.store.bookings import leave
from models.store.catalog import retire_workshops_except
from models.store.waiting import close_lines_of_retired, leave_line, place, places_of
from models.store.work import claim_mail
from models.tables import Mail, utc_now

pytestmark = pytest.mark.integration


async def refused(awaitable):
    with pytest.raises(Refused) as refusal:
        await awaitable
    return refusal.value.reason


async def test_who_can_not_wait(database):
    await full_workshop(database)
    await offer(database, "WKSHP-Free", seats=(10, 12))
    await offer(database, "WKSHP-Off", seats=(10, 12), active=False)
    assert await refused(join(database, 1, "WKSHP-None")) == "workshop_unknown"
    assert await refused(join(database, 1, "WKSHP-Off")) == "workshop_inactive"
    assert await refused(join(database, 1, "WKSHP-Free")) == "seats_free"
    assert await refused(join(database, 1000)) == "already_booked"
    assert await refused(join(database, 1, limit=0)) == "line_full"
    await join(database, 1, limit=1)
    assert await refused(join(database, 1)) == "already_waiting"
    assert await refused(join(database, 2, limit=1)) == "line_full"


async def test_one_address_joins_once_whatever_arrives_together(database):
    await full_workshop(database)

    async def try_to_join():
        try:
            return (await join(database, 1)).id
        except Refused as refusal:
            return refusal.reason

    outcomes = await asyncio.gather(*(try_to_join() for _ in range(10)))
    assert sum(isinstance(each, int) for each in outcomes) == 1
    assert {each for each in outcomes if not isinstance(each, int)} == {"already_waiting"}


async def test_joining_and_leaving_in_turn_sends_one_mail_an_hour(database):
    await full_workshop(database)
    await offer(database, "WKSHP-Two", seats=(1, 1))

    async def told(number=1, key="WKSHP-One"):
        entry = await join(database, number, key)
        async with database.transaction() as session:
            await session.execute(update(Mail).where(Mail.sent_at.is_(None)).values(sent_at=utc_now()))
            await leave_line(session, entry.reference, utc_now())
        return await mails_of(database, entry)

    assert [await told() for _ in range(4)] == [[MailKind.WAITING], [], [], []]
    assert await told(number=2) == [MailKind.WAITING]
    assert await told(key="WKSHP-Two") == [MailKind.WAITING]
    async with database.transaction() as session:
        await session.execute(update(Mail).values(created_at=Mail.created_at - timedelta(hours=1)))
    assert [await told() for _ in range(2)] == [[MailKind.WAITING], []]


@pytest.mark.parametrize("is_on_its_way", [False, True])
async def test_who_left_before_the_mail_went_out_is_written_to_about_the_next_place(database, is_on_its_way):
    await full_workshop(database)
    first = await join(database, 1)
    async with database.transaction() as session:
        if is_on_its_way:
            now = utc_now()
            assert await claim_mail(session, "engine-1", now, timedelta(minutes=1), due_before=now, of_lines=True)
        await leave_line(session, first.reference, utc_now())
        (dropped,) = await session.scalars(select(Mail).where(Mail.waiting_entry_id == first.id))
        assert (dropped.given_up_at is None) == is_on_its_way
    assert await mails_of(database, await join(database, 1)) == ([] if is_on_its_way else [MailKind.WAITING])


@pytest.mark.parametrize("is_offered", [False, True])
async def test_leaving_the_line_twice_lets_the_next_one_up(database, is_offered):
    (booking,) = await full_workshop(database)
    first, second = await join(database, 1), await join(database, 2)
    if is_offered:
        await release(database, booking.id)
        await attend(database)
    for _ in range(2):
        async with database.transaction() as session:
            await leave_line(session, first.reference, utc_now())
    assert await state_of(database, first) == "left"
    assert await take(database, first.reference) == "offer_missing"
    if not is_offered:
        await release(database, booking.id)
    await attend(database)
    assert await state_of(database, second) == "offered"


async def test_a_place_tells_when_a_seat_is_free_at_the_latest(database):
    (booking,) = await full_workshop(database)
    ends_at = utc_now() + timedelta(hours=2)
    await open_session(database, booking.id, ends_at)
    entry = await join(database, 1)
    async with database.transaction() as session:
        found = await place(session, entry.reference, 3600, utc_now())
        assert (found.position, found.next_free_at) == (1, ends_at)
        assert [each.entry.id for each in await places_of(session, entry.email_key, 3600, utc_now())] == [entry.id]
        await leave(session, booking.reference, utc_now())
    await release(database, booking.id)
    await attend(database)
    other = await join(database, 2)
    async with database.transaction() as session:
        offered = await place(session, entry.reference, 3600, utc_now())
        waiting = await place(session, other.reference, 3600, utc_now())
    assert offered.position is None
    assert waiting.next_free_at == offered.entry.offer_until


@pytest.mark.parametrize("is_offered", [False, True])
async def test_the_line_of_a_workshop_that_vanished_is_closed(database, is_offered):
    (booking,) = await full_workshop(database)
    await offer(database, "WKSHP-Two", seats=(1, 1))
    here, left, elsewhere = await join(database, 1), await join(database, 2), await join(database, 3, "WKSHP-Two")
    if is_offered:
        await release(database, booking.id)
        await attend(database)
    for _ in range(2):
        async with database.transaction() as session:
            await leave_line(session, left.reference, utc_now())
            await retire_workshops_except(session, ["WKSHP-Two"], "/catalog", utc_now())
            await close_lines_of_retired(session, utc_now())
    assert [await state_of(database, each) for each in (here, left, elsewhere)] == ["closed", "left", "waiting"]
    assert (await mails_of(database, here))[-1] == MailKind.LINE_CLOSED
    assert MailKind.LINE_CLOSED not in await mails_of(database, left)
    assert await take(database, here.reference) == "workshop_unknown"
    if not is_offered:
        await release(database, booking.id)
    await attend(database)
    assert await state_of(database, elsewhere) == "offered"

import asyncio
from datetime import timedelta

import pytest
from store_samples import book, offer, open_session, outcome, wish

from models.errors import Refused, Stale
from models.rules.booking import BookingEvent, BookingState, MailKind
from models.store.bookings import details_by_reference, leave, log_of, move
from models.store.catalog import offers
from models.store.work import (
    claim_booking,
    claim_bookings,
    claim_mail,
    mark_mail_sent,
    postpone_booking,
    raise_generation,
    renew_leases,
)
from models.tables import utc_now

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)


async def test_sixty_at_once_on_twenty_seats(database):
    await offer(database)
    outcomes = await asyncio.gather(*(outcome(database, wish(n)) for n in range(60)))
    seats = [each for each in outcomes if isinstance(each, int)]
    assert len(seats) == len(set(seats)) == 20
    assert [each for each in outcomes if not isinstance(each, int)] == ["workshop_full"] * 40


async def test_capacity_below_the_number_of_seats_is_kept(database):
    await offer(database, capacity=3)
    outcomes = await asyncio.gather(*(outcome(database, wish(n)) for n in range(10)))
    assert sum(isinstance(each, int) for each in outcomes) == 3


async def test_workshops_that_share_seats_never_share_one(database):
    await offer(database, "WKSHP-One", seats=(1, 12))
    await offer(database, "WKSHP-Two", seats=(5, 16))
    wishes = [wish(n, "WKSHP-One" if n % 2 else "WKSHP-Two") for n in range(40)]
    outcomes = await asyncio.gather(*(outcome(database, each) for each in wishes))
    seats = [each for each in outcomes if isinstance(each, int)]
    assert len(seats) == len(set(seats)) == 16
    assert {each for each in outcomes if not isinstance(each, int)} == {"workshop_full"}


async def test_one_booking_an_address_whatever_arrives_together(database):
    await offer(database)
    outcomes = await asyncio.gather(*(outcome(database, wish(1)) for _ in range(10)))
    assert sum(isinstance(each, int) for each in outcomes) == 1
    assert {each for each in outcomes if not isinstance(each, int)} == {"already_booked"}


@pytest.mark.parametrize(
    ("key", "values", "reason"),
    [
        ("WKSHP-None", {}, "workshop_unknown"),
        ("WKSHP-One", {"active": False}, "workshop_inactive"),
        ("WKSHP-One", {"capacity": 0}, "workshop_full"),
    ],
)
async def test_what_is_not_offered_is_refused_and_changes_nothing(database, key, values, reason):
    await offer(database, **values)
    with pytest.raises(Refused) as refusal:
        await book(database, wish(1, key))
    assert refusal.value.reason == reason
    async with database.transaction() as session:
        assert not await claim_bookings(session, "me", utc_now(), LEASE, 10)
        assert await claim_mail(session, "me", utc_now(), LEASE, utc_now()) is None


async def test_full_says_when_a_seat_comes_free(database):
    await offer(database, seats=(1, 1))
    booking = await book(database, wish(1))
    ends_at = utc_now() + timedelta(hours=2)
    await open_session(database, booking.id, ends_at)
    with pytest.raises(Refused) as refusal:
        await book(database, wish(2))
    assert refusal.value.retry_at == ends_at
    with pytest.raises(Refused) as refusal:
        await book(database, wish(1))
    assert (refusal.value.reason, refusal.value.retry_at) == ("already_booked", ends_at)


async def test_a_whole_life_is_written_down_and_frees_the_seat(database):
    await offer(database, seats=(1, 1))
    booking = await book(database, wish(1))
    await open_session(database, booking.id, utc_now())
    async with database.transaction() as session:
        for state, event in [
            (BookingState.READY, BookingEvent.REMIND),
            (BookingState.EXPIRING, BookingEvent.EXPIRE),
            (BookingState.ENDING, BookingEvent.RELEASE),
        ]:
            await move(session, booking.id, state, event, utc_now())
    async with database.transaction() as session:
        states = [row.state for row in await log_of(session, booking.id)]
        mails = [await claim_mail(session, "me", utc_now(), LEASE, utc_now()) for _ in range(4)]
        assert await claim_mail(session, "me", utc_now(), LEASE, utc_now()) is None
    assert states == ["reserved", "preparing", "ready", "expiring", "ending", "ended"]
    assert [mail.kind for mail in mails] == [
        MailKind.WELCOME,
        MailKind.CREDENTIALS,
        MailKind.REMINDER,
        MailKind.THANKS,
    ]
    second = await book(database, wish(2))
    assert second.seat_id == booking.seat_id
    assert second.seat_generation == booking.seat_generation + 1


async def test_a_state_moves_once_however_many_try(database):
    await offer(database)
    booking = await book(database, wish(1))

    async def prepare():
        try:
            async with database.transaction() as session:
                await move(session, booking.id, BookingState.RESERVED, BookingEvent.PREPARE, utc_now())
        except Stale:
            return False
        return True

    assert sum(await asyncio.gather(*(prepare() for _ in range(8)))) == 1


async def test_engines_share_work_without_overlap_and_inherit_it_when_a_lease_ends(database):
    await offer(database)
    for number in range(10):
        await book(database, wish(number))

    async def claim(owner, now):
        async with database.transaction() as session:
            return {each.booking_id for each in await claim_bookings(session, owner, now, LEASE, 4)}

    now = utc_now()
    shares = await asyncio.gather(*(claim(f"engine{n}", now) for n in range(4)))
    assert sum(map(len, shares)) == len(set().union(*shares)) == 10
    assert not await claim("late", now)
    after = now + LEASE + timedelta(seconds=1)
    assert len(await claim("heir", after)) == 4
    async with database.transaction() as session:
        assert not await renew_leases(session, "heir", after + LEASE, shares[0] - shares[0])
        everything = set().union(*shares)
        assert len(await renew_leases(session, "heir", after + LEASE, everything)) == 4


async def test_work_under_a_lost_lease_changes_nothing(database):
    await offer(database)
    booking = await book(database, wish(1))
    async with database.transaction() as session:
        claim = await claim_booking(session, booking.id, "first", utc_now() - 2 * LEASE, LEASE)
        assert await claim_booking(session, booking.id, "second", utc_now(), LEASE)
    with pytest.raises(Stale):
        async with database.transaction() as session:
            await move(session, booking.id, BookingState.RESERVED, BookingEvent.PREPARE, utc_now(), owner="first")
    with pytest.raises(Stale):
        async with database.transaction() as session:
            await postpone_booking(session, claim, "first", utc_now(), LEASE, "too late")
    with pytest.raises(Stale):
        async with database.transaction() as session:
            await raise_generation(session, booking.id, "first", 7, utc_now())
    async with database.transaction() as session:
        found = await details_by_reference(session, booking.reference)
        assert found.booking.state == BookingState.RESERVED
        assert found.seat.generation == found.booking.seat_generation == 1
        assert [each.event for each in await log_of(session, booking.id)] == ["reserve"]


async def test_a_machine_that_is_ahead_is_overtaken_and_the_work_due_at_once(database):
    await offer(database)
    booking = await book(database, wish(1))
    now = utc_now()
    async with database.transaction() as session:
        await claim_booking(session, booking.id, "me", now, LEASE)
        await raise_generation(session, booking.id, "me", 7, now)
    async with database.transaction() as session:
        found = await details_by_reference(session, booking.reference)
        assert found.seat.generation == found.booking.seat_generation == 8
        log = await log_of(session, booking.id)
        assert [each.booking_id for each in await claim_bookings(session, "other", now, LEASE, 1)] == [booking.id]
    assert log[-1].event == "failure"
    assert "restored" in log[-1].detail


async def test_a_failed_attempt_is_written_down_and_due_again_later(database):
    await offer(database)
    booking = await book(database, wish(1))
    now = utc_now()
    async with database.transaction() as session:
        claim = await claim_booking(session, booking.id, "me", now, LEASE)
        await postpone_booking(session, claim, "me", now, timedelta(seconds=8), "The disk is full.")
    async with database.transaction() as session:
        assert not await claim_bookings(session, "me", now + timedelta(seconds=7), LEASE, 1)
        again = await claim_bookings(session, "me", now + timedelta(seconds=9), LEASE, 1)
        row = (await details_by_reference(session, booking.reference)).booking
    assert [each.attempts for each in again] == [1]
    assert row.failure == "The disk is full."


async def test_leaving_twice_ends_once_and_takes_the_lease_from_whoever_prepares(database):
    await offer(database)
    booking = await book(database, wish(1))
    async with database.transaction() as session:
        await claim_booking(session, booking.id, "engine", utc_now(), LEASE)
    for _ in range(2):
        async with database.transaction() as session:
            assert (await leave(session, booking.reference, utc_now())).state == BookingState.ENDING
    with pytest.raises(Stale):
        async with database.transaction() as session:
            await move(session, booking.id, BookingState.RESERVED, BookingEvent.PREPARE, utc_now(), owner="engine")
    async with database.transaction() as session:
        assert [row.state for row in await log_of(session, booking.id)] == ["reserved", "ending"]


async def test_a_mail_is_claimed_by_one_and_sent_once(database):
    await offer(database)
    await book(database, wish(1))

    async def claim(owner):
        async with database.transaction() as session:
            return await claim_mail(session, owner, utc_now(), LEASE, utc_now())

    claims = await asyncio.gather(*(claim(f"engine{n}") for n in range(4)))
    (mail,) = [mail for mail in claims if mail]
    owner = f"engine{claims.index(mail)}"
    async with database.transaction() as session:
        await mark_mail_sent(session, mail.mail_id, owner, utc_now())
    assert not await claim("late")


async def test_offers_count_what_is_free(database):
    await offer(database, "WKSHP-One", seats=(1, 5), capacity=20)
    await offer(database, "WKSHP-Two", seats=(4, 8), capacity=2)
    for number in range(3):
        await book(database, wish(number))
    await book(database, wish(9, "WKSHP-Two"))
    async with database.transaction() as session:
        free = {each.workshop.key: each.free_seats for each in await offers(session)}
    assert free["WKSHP-One"] in (1, 2)  # the second workshop's student may sit on a shared seat
    assert free["WKSHP-Two"] == 1


async def test_a_workshop_that_did_not_change_keeps_its_date(database):
    await offer(database)
    async with database.transaction() as session:
        before = (await offers(session))[0].workshop.updated_at
    await offer(database)
    async with database.transaction() as session:
        assert (await offers(session))[0].workshop.updated_at == before

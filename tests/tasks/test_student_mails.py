"""Mails from the outbox to a mail server: to those who wait, of longer sessions, and to nobody any more."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from smtp_server import mail_servers, messages
from sqlalchemy import select, update
from store_samples import KEEP, book, full_workshop, join, offer, open_session, release, wish

from models.rules.booking import BookingState, MailKind
from models.rules.signed_links import read_badge, read_link
from models.settings import Settings
from models.store.badges import badge_named
from models.store.catalog import retire_workshops_except
from models.store.forgetting import forget_student, settle_ended
from models.store.own_page import extend
from models.store.waiting import close_lines_of_retired, place
from models.tables import Booking, Mail, WaitingEntry, utc_now
from tasks.adapters.smtp import Mailer
from tasks.archives import drop_expired_archives
from tasks.ending import begin_expiring
from tasks.offering import attend_lines
from tasks.outbox import send_line_mails, send_mails
from tasks.recording import unrecorded
from tasks.running_platform import Platform, use_platform

pytestmark = pytest.mark.integration

LINK_KEY = "link-key"
EMAIL = "student1@example.com"


@pytest.fixture
async def server(tmp_path):
    async with mail_servers(tmp_path) as start:
        yield await start()


@pytest.fixture
async def platform(database, server, tmp_path):
    settings = Settings(
        state_dir=tmp_path,
        smtp_port=server.port,
        mail_sender="workshops@wod.example.com",
        link_key=LINK_KEY,
        password_key="password-key",
        retry_first_seconds=0.01,
        retry_longest_seconds=0.01,
    )
    made = Platform(settings, database, Mailer(settings), "engine-1")
    use_platform(made)
    with unrecorded():
        yield made
    await made.mailer.close()


def arrived(server, kind, address=EMAIL):
    return [
        each
        for each in messages(server.folder)
        if each["Message-ID"].startswith(f"<{kind}.") and each["To"] == address
    ]


def query(message, page, name):
    """Return what a mail's link to a page of the catalog holds."""
    text = message.get_body(("plain",)).get_content()
    (address,) = set(re.findall(rf"http\S+/{page}\?\S+", text))
    return parse_qs(urlsplit(address).query)[name][0]


async def entry_now(database, entry):
    async with database.transaction() as session:
        return (await place(session, entry.reference, 3600, utc_now())).entry


async def test_those_who_wait_are_written_to(database, platform, server):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    assert await send_line_mails(9) == 1
    (in_line,) = arrived(server, MailKind.WAITING)
    assert query(in_line, "waiting", "place") == entry.reference
    assert read_link(LINK_KEY, query(in_line, "session", "link"), utc_now(), 1) == entry.reference
    await release(database, booking.id)
    for _ in range(2):
        await attend_lines()
        await send_line_mails(9)
    (offered,) = arrived(server, MailKind.OFFER)
    assert query(offered, "waiting", "place") == entry.reference
    async with database.transaction() as session:
        await session.execute(update(WaitingEntry).values(offer_until=utc_now()))
    for _ in range(2):
        await attend_lines()
        await send_line_mails(9)
    assert len(arrived(server, MailKind.OFFER_MISSED)) == 1
    assert (await entry_now(database, entry)).state == "expired"


async def test_those_who_wait_for_what_vanished_are_told(database, platform, server):
    await full_workshop(database)
    entry = await join(database, 1)
    async with database.transaction() as session:
        await retire_workshops_except(session, [], "/catalog", utc_now())
        await close_lines_of_retired(session, utc_now())
    for _ in range(2):
        await send_line_mails(9)
    (told,) = arrived(server, MailKind.LINE_CLOSED)
    assert "WKSHP-One" in told["Subject"]
    assert arrived(server, MailKind.WAITING) == [], "what was so no more"
    assert (await entry_now(database, entry)).state == "closed"


async def test_an_offer_whose_mail_is_late_lasts_from_then_on(database, platform, server):
    (booking,) = await full_workshop(database)
    entry = await join(database, 1)
    await send_line_mails(9)
    await release(database, booking.id)
    await attend_lines()
    server.refusals["DATA"] = "451 Try again later"
    assert await send_line_mails(1) == 0
    async with database.transaction() as session:
        await session.execute(update(WaitingEntry).values(offer_until=utc_now() - timedelta(minutes=1)))
        await session.execute(update(Mail).values(due_at=utc_now()))
    await attend_lines()
    assert (await entry_now(database, entry)).state == "offered"
    assert await send_line_mails(9) == 1
    kept_for = (await entry_now(database, entry)).offer_until - utc_now()
    assert timedelta(minutes=29) < kept_for <= timedelta(minutes=30)


async def test_the_mail_of_an_offer_says_how_long_it_still_lasts(database, platform, server):
    (booking,) = await full_workshop(database)
    await join(database, 1)
    await release(database, booking.id)
    await attend_lines()
    made = utc_now() - timedelta(minutes=100)
    async with database.transaction() as session:
        await session.execute(update(WaitingEntry).values(offered_at=made, offer_until=made + KEEP))
    await send_line_mails(9)
    (offered,) = arrived(server, MailKind.OFFER)
    assert "20 minutes from now" in offered.get_body(("plain",)).get_content()


async def test_an_offer_that_is_over_is_not_mailed(database, platform, server):
    (booking,) = await full_workshop(database)
    await join(database, 1)
    await release(database, booking.id)
    await attend_lines()
    async with database.transaction() as session:
        await session.execute(update(WaitingEntry).values(state="left"))
    assert await send_line_mails(9) == 0
    assert messages(server.folder) == []
    async with database.transaction() as session:
        rows = await session.scalars(select(Mail).where(Mail.waiting_entry_id.is_not(None)))
        assert all(mail.given_up_at for mail in rows)


async def test_a_longer_session_has_a_second_reminder(database, platform, server):
    await offer(database)
    booking = await book(database, wish(1))
    await open_session(database, booking.id, utc_now() + timedelta(hours=1))
    await send_mails(booking.id)
    for _ in range(2):
        async with database.transaction() as session:
            (await session.get_one(Booking, booking.id)).lease_owner = platform.owner
        await begin_expiring(booking.id)
        assert await send_mails(booking.id) == 1
        assert await send_mails(booking.id) == 0
        async with database.transaction() as session:
            await extend(session, EMAIL, utc_now(), limit=9, hours=1, reminder_hours=1, hour_seconds=3600)
    reminders = arrived(server, MailKind.REMINDER)
    assert {each["Subject"].partition(":")[0] for each in reminders} == {"1 hour left", "2 hours left"}
    assert len({each["Message-ID"] for each in reminders}) == 2


async def test_a_mail_shares_the_page_that_proves_its_badge(database, platform, server):
    for number in range(3):
        await offer(database, f"WKSHP-{number}")
        booking = await book(database, wish(1, f"WKSHP-{number}"))
        await open_session(database, booking.id, utc_now() + timedelta(hours=1))
        async with database.transaction() as session:
            await session.execute(update(Booking).values(cells_executed=2, cells_total=4))
        await release(database, booking.id)
        async with database.transaction() as session:
            await settle_ended(session, booking.id, utc_now())
        await send_mails(booking.id)
    thanks, (special,) = arrived(server, MailKind.THANKS), arrived(server, MailKind.SPECIAL_BADGE)
    assert len(thanks) == 3
    titles = set()
    for message in (*thanks, special):
        async with database.transaction() as session:
            badge = await badge_named(session, read_badge(LINK_KEY, query(message, "badge", "code")))
        titles.add(badge.title)
        assert "linkedin.com" in message.get_body(("plain",)).get_content()
    assert titles == {"WKSHP-0", "WKSHP-1", "WKSHP-2", "Apprentice"}


async def test_nothing_is_mailed_to_or_kept_of_a_forgotten_student(database, platform, server):
    await offer(database)
    booking = await book(database, wish(1))
    archive = platform.archive(booking.id)
    archive.parent.mkdir()
    archive.write_bytes(b"a student's work")
    async with database.transaction() as session:
        row = await session.get_one(Booking, booking.id)
        row.archive_until = utc_now() + timedelta(days=9)
    async with database.transaction() as session:
        await forget_student(session, EMAIL, utc_now())
    await release(database, booking.id)
    async with database.transaction() as session:
        await settle_ended(session, booking.id, utc_now())
        assert (await session.get_one(Booking, booking.id)).state == BookingState.ENDED
    assert await send_mails(booking.id) == 0
    assert messages(server.folder) == []
    assert await drop_expired_archives() == 1
    assert not archive.exists()

"""What partners are told, with a real receiver and a real database: once, signed, and until it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from partner_samples import (
    add_key,
    add_webhook,
    book,
    delivering,
    delivering_platform,
)
from sqlalchemy import text
from store_samples import until_somebody_waits

from models.errors import StepFailed
from models.rules.booking import BookingEvent, BookingState
from models.rules.webhooks import WebhookEvent, webhook_secret
from models.store.bookings import move
from models.store.deliveries import claim_delivery, drop_old_deliveries
from models.store.partners import revoke_key
from models.store.webhooks import deliveries_of, repeat_delivery, webhook_of
from models.store.work import release_leases
from models.tables import utc_now
from tasks.adapters.webhooks import WebhookSender
from tasks.partner_deliveries import deliver, next_delivery
from tasks.running_platform import Platform

pytestmark = pytest.mark.integration


@pytest.fixture
def platform(database, tmp_path):
    return delivering_platform(database, tmp_path)


async def go(database, booking, event, state, **values):
    async with database.transaction() as session:
        return await move(session, booking.id, state, event, utc_now(), **values)


async def settle(database, seconds=15):
    """Wait until nothing is due any more; return what came of the deliveries, oldest first."""
    deadline = time.monotonic() + seconds
    while True:
        rows = await deliveries(database)
        if all(row.delivered_at or row.given_up_at for row in rows):
            return rows
        assert time.monotonic() < deadline, rows
        await asyncio.sleep(0.05)


async def deliveries(database):
    async with database.transaction() as session:
        return list(await session.execute(text("SELECT * FROM webhook_delivery ORDER BY id")))


async def wait_until_disabled(database, seconds=15):
    deadline = time.monotonic() + seconds
    while True:
        async with database.transaction() as session:
            if await session.scalar(text("SELECT disabled_at FROM webhook")) is not None:
                return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_whole_booking_is_told_in_its_order(database, platform, key_id, told):
    webhook = await add_webhook(database, key_id, told.url)
    booking = await book(database, key_id)
    now = utc_now()
    async with delivering(platform):
        await go(database, booking, BookingEvent.PREPARE, BookingState.RESERVED)
        ends_at = now + timedelta(hours=2)
        await go(database, booking, BookingEvent.OPEN, BookingState.PREPARING, ready_at=now, ends_at=ends_at)
        await go(database, booking, BookingEvent.REMIND, BookingState.READY)
        await go(database, booking, BookingEvent.EXTEND, BookingState.EXPIRING, ends_at=ends_at)
        await go(database, booking, BookingEvent.REMIND, BookingState.READY, mail_round=1)
        await go(database, booking, BookingEvent.EXPIRE, BookingState.EXPIRING)
        done = {"cells_executed": 3, "cells_total": 4, "finished_at": now}
        await go(database, booking, BookingEvent.RELEASE, BookingState.ENDING, **done)
        await settle(database)
    assert [message.told["type"] for message in told.messages] == [
        "booking.reserved",
        "booking.ready",
        "booking.reminded",
        "booking.extended",
        "booking.reminded",
        "booking.ending",
        "booking.ended",
    ]
    last = told.messages[-1].told["data"]
    assert last == {
        "reference": booking.reference,
        "workshop": "WKSHP-One",
        "state": "ended",
        "partner_user": "u-1",
        "created_at": booking.created_at.isoformat(),
        "ready_at": now.isoformat(),
        "ends_at": ends_at.isoformat(),
        "finished_at": now.isoformat(),
        "cells_executed": 3,
        "cells_total": 4,
    }
    assert "example.com" not in told.messages[0].body.decode()
    secret = webhook_secret("link-key", webhook.reference)
    assert all(message.verified(secret) for message in told.messages)
    assert not told.messages[0].verified(webhook_secret("link-key", "another"))
    assert all(abs(int(message.headers["webhook-timestamp"]) - message.at) < 5 for message in told.messages)
    assert len({message.headers["webhook-id"] for message in told.messages}) == 7


async def test_bookings_of_nobody_and_of_others_are_not_told(database, key_id, told):
    other_id, _ = await add_key(database, "Other")
    await add_webhook(database, key_id, told.url)
    await book(database, other_id)
    assert await deliveries(database) == []


async def test_only_what_was_asked_for_is_told(database, key_id, told):
    await add_webhook(database, key_id, told.url, [WebhookEvent.ENDED])
    await book(database, key_id)
    assert await deliveries(database) == []


async def test_a_move_that_is_undone_is_not_told(database, key_id, told):
    booking = await book(database, key_id)
    await add_webhook(database, key_id, told.url)
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as session:
            await move(session, booking.id, BookingState.RESERVED, BookingEvent.LEAVE, utc_now())
            raise ZeroDivisionError
    assert await deliveries(database) == []


async def test_an_address_that_fails_is_told_again_until_it_takes_it(database, platform, key_id, told):
    await add_webhook(database, key_id, told.url)
    told.answers = [500, 503]
    await book(database, key_id)
    async with delivering(platform):
        (row,) = await settle(database)
    assert (row.attempts, row.status, row.failure) == (3, 204, "")
    assert len({message.headers["webhook-id"] for message in told.messages}) == 1
    pauses = [b.at - a.at for a, b in zip(told.messages, told.messages[1:], strict=False)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4


async def test_a_failure_is_shown(database, platform, key_id, told):
    webhook = await add_webhook(database, key_id, told.url)
    told.answers = [500]
    await book(database, key_id)
    sender = WebhookSender(takes_loopback=True)
    await deliver(platform, sender, await next_delivery(platform))
    await sender.close()
    async with database.transaction() as session:
        (row,) = await deliveries_of(session, webhook, limit=10)
    assert (row.attempts, row.status, row.failure) == (1, 500, "The address answered 500.")
    assert row.due_at > utc_now()
    assert row.lease_owner is None


async def test_what_fails_for_days_is_given_up_and_can_be_told_again(database, platform, key_id, told):
    webhook = await add_webhook(database, key_id, told.url)
    booking = await book(database, key_id)
    told.answers = [500]
    async with database.transaction() as session:
        await session.execute(text("UPDATE webhook_delivery SET created_at = now() - interval '73 hours'"))
    async with delivering(platform):
        (row,) = await settle(database)
        assert row.given_up_at is not None
        async with database.transaction() as session:
            await repeat_delivery(session, webhook, row.reference, utc_now())
        (row,) = await settle(database)
    assert row.delivered_at is not None
    assert [message.told["data"]["reference"] for message in told.messages] == [booking.reference] * 2


async def test_gone_means_never_again(database, platform, key_id, told):
    webhook = await add_webhook(database, key_id, told.url)
    told.answers = [410]
    await book(database, key_id)
    async with delivering(platform):
        await wait_until_disabled(database)
        await book(database, key_id, 2)
        await asyncio.sleep(1)
    assert len(told.messages) == 1
    async with database.transaction() as session:
        assert len(await deliveries_of(session, webhook, limit=10)) == 1


async def test_an_address_that_is_gone_while_its_partner_changes_it(database, platform, key_id, told):
    webhook = await add_webhook(database, key_id, told.url)
    told.answers = [410]
    await book(database, key_id)
    claim = await next_delivery(platform)
    sender = WebhookSender(takes_loopback=True)
    async with database.transaction() as session:
        await webhook_of(session, key_id, webhook.reference)
        noting = asyncio.create_task(deliver(platform, sender, claim))
        await until_somebody_waits(database)
        await repeat_delivery(session, webhook, claim.reference, utc_now())
    await noting
    await wait_until_disabled(database)
    assert (await deliveries(database))[0].attempts == 1
    await sender.close()


async def test_redirects_are_not_followed(database, platform, key_id, told):
    def redirect(handler):
        handler.send_response(307)
        handler.send_header("Location", told.url.replace("/hook", "/elsewhere"))
        handler.end_headers()

    await add_webhook(database, key_id, told.url)
    told.answers = [redirect]
    await book(database, key_id)
    async with delivering(platform):
        (row,) = await settle(database)
    assert [message.path for message in told.messages] == ["/hook", "/hook"]
    assert row.attempts == 2


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://10.0.0.1/x", "webhook_private"),
        ("https://169.254.169.254/latest", "webhook_private"),
        ("https://[::ffff:10.0.0.1]/", "webhook_private"),
        ("https://0x7f.1/", "webhook_private"),
        ("https://2130706433/", "webhook_private"),
        ("https://nobody.invalid/", "webhook_unreachable"),
        ("http://127.0.0.1:1/", "webhook_unreachable"),
    ],
)
async def test_where_nothing_is_posted(url, reason):
    sender = WebhookSender(takes_loopback=True)
    with pytest.raises(StepFailed) as failed:
        await sender.post(url, b"{}", {})
    assert failed.value.reason == reason
    await sender.close()


async def test_this_machine_is_not_posted_to_by_a_platform_that_serves_others(told):
    sender = WebhookSender(takes_loopback=False)
    with pytest.raises(StepFailed) as failed:
        await sender.post(told.url, b"{}", {})
    assert failed.value.reason == "webhook_private"
    assert told.messages == []
    await sender.close()


async def test_a_name_that_leads_into_a_private_network_is_not_posted_to(monkeypatch):
    # The name server is the partner's, so what it says is the fault that is played here.
    answers = [(2, 1, 6, "", ("203.0.114.7", 443)), (2, 1, 6, "", ("192.168.1.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    sender = WebhookSender(takes_loopback=False)
    with pytest.raises(StepFailed) as failed:
        await sender.post("https://portal.example.org/", b"{}", {})
    assert failed.value.reason == "webhook_private"
    await sender.close()


ENGINE = """
import asyncio, sys
from pathlib import Path
from deployments.engine.deliveries import Deliveries
from models.settings import Settings
from models.store.database import Database
from tasks.adapters.smtp import Mailer
from tasks.running_platform import Platform

settings = Settings(state_dir=Path("."), link_key="link-key", sweep_seconds=0.2, lease_seconds=1.1)
asyncio.run(Deliveries(Platform(settings, Database(sys.argv[1]), Mailer(settings), sys.argv[2])).run())
"""


def start_engine(database, name):
    url = database._url.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-c", ENGINE, url, name])


async def test_an_engine_that_is_killed_before_it_notes_a_delivery(database, key_id, told):
    await add_webhook(database, key_id, told.url)
    await book(database, key_id)
    told.answers = [lambda _: time.sleep(5)]
    first = start_engine(database, "first")
    await told.wait_for(1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert (await deliveries(database))[0].lease_owner == "first"
    second = start_engine(database, "second")
    try:
        # The lease of the first, which is longer than an answer may take.
        await told.wait_for(2, seconds=30)
        await settle(database)
    finally:
        second.kill()
        second.wait()
    assert len(told.messages) == 2
    assert len({message.headers["webhook-id"] for message in told.messages}) == 1


async def test_two_engines_share_what_is_due(database, platform, key_id, told):
    await add_webhook(database, key_id, told.url)
    for number in range(15):
        await book(database, key_id, number)
    other = Platform(platform.settings, database, platform.mailer, "engine-2")
    async with delivering(platform), delivering(other):
        await settle(database)
    assert len(told.messages) == 15
    assert len({message.headers["webhook-id"] for message in told.messages}) == 15


async def test_an_engine_that_stops_gives_back_what_is_on_its_way(database, platform, key_id, told):
    await add_webhook(database, key_id, told.url)
    await book(database, key_id)
    told.answers = [lambda _: time.sleep(5)]
    async with delivering(platform):
        await told.wait_for(1)
    async with database.transaction() as session:
        await release_leases(session, platform.owner)
        assert await claim_delivery(session, "another", utc_now(), timedelta(seconds=5)) is not None


async def test_the_webhooks_of_a_revoked_key_are_told_nothing(database, platform, key_id, told):
    await add_webhook(database, key_id, told.url)
    booking = await book(database, key_id)
    async with database.transaction() as session:
        await revoke_key(session, "Acme", utc_now())
    assert await next_delivery(platform) is None
    await go(database, booking, BookingEvent.LEAVE, BookingState.RESERVED)
    assert len(await deliveries(database)) == 1


async def test_a_student_who_was_forgotten_is_not_named(database, platform, key_id, told):
    await add_webhook(database, key_id, told.url)
    await book(database, key_id)
    async with database.transaction() as session:
        await session.execute(text("UPDATE partner_booking SET partner_user = ''"))
    async with delivering(platform):
        await settle(database)
    assert told.messages[0].told["data"]["partner_user"] == ""
    assert "u-1" not in str(await deliveries(database))


async def test_deliveries_are_kept_for_a_month(database, key_id, told):
    await add_webhook(database, key_id, told.url)
    await book(database, key_id)
    for days, left in ((29, 1), (31, 0)):
        async with database.transaction() as session:
            await drop_old_deliveries(session, utc_now() + timedelta(days=days))
        assert len(await deliveries(database)) == left

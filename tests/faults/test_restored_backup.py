"""A database that was restored from a backup, under machines that have served students since."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from itertools import count

import httpx
import pytest
from eventually import eventually
from faults.bursts import check_no_seat_leaks
from pydantic import SecretStr
from sqlalchemy import delete, update

from deployments.rehearsal.maildir import credentials_of
from deployments.rehearsal.own_platform import own_platform
from deployments.rehearsal.student import Student
from deployments.stack.credentials import read_secret
from models.errors import Stale
from models.rules.booking import MailKind
from models.store.bookings import details_by_reference, log_of
from models.store.database import Database
from models.tables import Booking, BookingLog, Mail, Seat, utc_now
from tasks.adapters.smtp import Mailer
from tasks.catching_up import catch_up
from tasks.running_platform import Platform, use_platform

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

WORKSHOP = "WKSHP-Python-First-Steps"
NUMBERS = count()


@pytest.fixture(scope="module")
def platform():
    with own_platform(sweep_seconds=1) as running:
        yield running


@pytest.fixture
async def database(platform):
    opened = Database(read_secret(platform.layout, "database_url"))
    yield opened
    async with opened.transaction() as session:
        await session.execute(update(Seat).values(retired=False))
    await opened.close()


class Visitor:
    """A student whose seat is known."""

    def __init__(self, platform, name):
        self.platform, self.email = platform, f"{name}@example.com"
        self.reference = self.account = ""

    async def book(self):
        wish = {"workshop": WORKSHOP, "email": self.email, "name": "A Student", "accept_terms": True}
        async with httpx.AsyncClient(base_url=self.platform.api_url, timeout=30) as api:
            answer = (await api.post("/api/v1/bookings", json=wish)).raise_for_status().json()
        self.reference = answer["reference"]
        mail = await self.platform.mailbox.wait_for(MailKind.CREDENTIALS, self.email, 60)
        self.credentials = credentials_of(mail)
        self.account = self.credentials.username
        return self

    @property
    def home(self):
        return self.platform.settings.homes / self.account

    def browser(self):
        return Student(self.platform.settings.url("hub"), self.account)

    async def leave(self):
        async with httpx.AsyncClient(base_url=self.platform.api_url, timeout=30) as api:
            (await api.delete(f"/api/v1/bookings/{self.reference}")).raise_for_status()
        await self.comes_to("ended")

    async def comes_to(self, state, timeout_seconds=60):
        async with httpx.AsyncClient(base_url=self.platform.api_url, timeout=30) as api:

            async def is_so():
                return (await api.get(f"/api/v1/bookings/{self.reference}")).json()["state"] == state

            await eventually(is_so, f"the booking is {state}", timeout_seconds)

    async def work(self):
        """Return the names in the archive of the student's work, none without one."""
        async with httpx.AsyncClient(base_url=self.platform.api_url, timeout=30) as api:
            answer = await api.get(f"/api/v1/bookings/{self.reference}/work")
        if answer.status_code == 404:
            return []
        return zipfile.ZipFile(io.BytesIO(answer.raise_for_status().content)).namelist()


async def only_seat(database, account):
    """Let nobody be given any other seat."""
    async with database.transaction() as session:
        await session.execute(update(Seat).values(retired=Seat.account != account))


async def forget(database, visitor, generation):
    """Take a student out of the database, as a backup from before the booking does."""
    async with database.transaction() as session:
        booking = (await details_by_reference(session, visitor.reference)).booking
        for table in (Mail, BookingLog):
            await session.execute(delete(table).where(table.booking_id == booking.id))
        await session.execute(delete(Booking).where(Booking.id == booking.id))
        await session.execute(update(Seat).where(Seat.id == booking.seat_id).values(generation=generation))


async def bring_back(database, visitor, state):
    """Give a booking back the state that it has in the backup."""
    now = utc_now()
    opened = None if state in ("reserved", "abandoning") else now - timedelta(hours=4)
    async with database.transaction() as session:
        booking = (await details_by_reference(session, visitor.reference)).booking
        later = Mail.kind != MailKind.WELCOME
        await session.execute(delete(Mail).where(Mail.booking_id == booking.id, later))
        values = {"state": state, "ready_at": opened, "ends_at": opened and now, "due_at": now}
        gone = {"finished_at": None, "archive_until": None, "cells_executed": None, "cells_total": None}
        await session.execute(update(Booking).where(Booking.id == booking.id).values(**values, **gone))


async def story_of(database, visitor):
    async with database.transaction() as session:
        found = await details_by_reference(session, visitor.reference)
        return found, [each.detail for each in await log_of(session, found.booking.id)]


@pytest.fixture
async def forgotten(platform, database):
    """Return a student at work, on the only seat that there is."""
    visitor = await Visitor(platform, f"forgotten{next(NUMBERS)}").book()
    (visitor.home / "mine.txt").write_text("nobody else's")
    await only_seat(database, visitor.account)
    return visitor


async def test_the_next_student_gets_a_seat_of_their_own(platform, database, forgotten):
    async with forgotten.browser() as browser:
        assert await browser.log_in(forgotten.credentials.password)
        await browser.open_lab()
        await forget(database, forgotten, 0)
        following = await Visitor(platform, "following").book()
        assert following.account == forgotten.account
        assert not await browser.is_served()
        assert not await browser.log_in(forgotten.credentials.password)
    assert not (following.home / "mine.txt").exists()
    async with following.browser() as browser:
        assert await browser.log_in(following.credentials.password)
    found, log = await story_of(database, following)
    assert found.seat.generation == found.booking.seat_generation == 2
    assert any("restored" in detail for detail in log)
    await following.leave()
    names = await following.work()
    assert names
    assert "mine.txt" not in names
    await check_no_seat_leaks(platform)


@pytest.mark.parametrize(
    ("state", "comes_to"),
    [("reserved", "ready"), ("ready", "ended"), ("ending", "ended"), ("abandoning", "failed")],
)
async def test_a_booking_of_the_backup_goes_on(platform, database, state, comes_to):
    former = await Visitor(platform, f"former-{state}").book()
    await only_seat(database, former.account)
    await former.leave()
    found, _ = await story_of(database, former)
    forgotten = await Visitor(platform, f"since-{state}").book()
    assert forgotten.account == former.account
    (forgotten.home / "mine.txt").write_text("nobody else's")
    await forget(database, forgotten, found.seat.generation)
    await bring_back(database, former, state)
    await former.comes_to(comes_to)
    assert not (former.home / "mine.txt").exists()
    assert await former.work() == []
    now, log = await story_of(database, former)
    assert now.seat.generation == found.seat.generation + 2
    assert any("restored" in detail for detail in log)
    if comes_to == "ready":
        await former.leave()
        assert "mine.txt" not in await former.work()
    await check_no_seat_leaks(platform)


async def test_an_engine_without_the_lease_changes_nothing(platform, database, forgotten):
    settings = platform.settings.model_copy(
        update={"hub_token": SecretStr(read_secret(platform.layout, "hub_token"))}
    )
    stalled = Platform(settings, database, Mailer(settings), "an engine that stalled")
    use_platform(stalled)
    before, log = await story_of(database, forgotten)
    async with forgotten.browser() as browser:
        assert await browser.log_in(forgotten.credentials.password)
        await browser.open_lab()
        with pytest.raises(Stale) as raised:
            await catch_up(before.booking.id, 7)
        assert raised.value.reason == "lease_lost"
        assert await browser.is_served()
    after, log_after = await story_of(database, forgotten)
    assert (after.seat, after.booking, log_after) == (before.seat, before.booking, log)
    await forgotten.leave()
    assert "mine.txt" in await forgotten.work()

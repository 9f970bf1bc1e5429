"""A burst of students on a platform, and the truths that hold after any fault."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import httpx
import psutil
from eventually import eventually
from sqlalchemy import select

from deployments.rehearsal.maildir import credentials_of, kind_of
from deployments.rehearsal.own_platform import OwnPlatform
from deployments.rehearsal.student import Student
from deployments.stack.credentials import read_secret
from deployments.stack.plan import read_plan
from deployments.stack.supervision import Supervisor
from models.rules.booking import BookingState, MailKind
from models.store.database import Database
from models.store.predicates import is_unfinished
from models.tables import Booking, Mail, Seat

_POLL_SECONDS = 0.3


@dataclass
class Burst:
    """Students who book at the same time; those whose request broke off try again, as people do."""

    platform: OwnPlatform
    workshop: str
    name: str
    count: int = 20
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> list[str]:
        return [f"{self.name}{number}@example.com" for number in range(self.count)]

    async def book(self) -> None:
        async with httpx.AsyncClient(base_url=self.platform.api_url, timeout=30) as api:
            await asyncio.gather(*(self._insist(api, address) for address in self.addresses))

    async def _insist(self, api: httpx.AsyncClient, address: str) -> None:
        wish = {"workshop": self.workshop, "email": address, "name": "A Student", "accept_terms": True}
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                answer = await api.post("/api/v1/bookings", json=wish)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                # Who asks again because the answer was lost is told of the booking that there is.
                if answer.status_code != 201 and answer.json()["reason"] != "already_booked":
                    self.refused[address] = answer.json()["reason"]
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise AssertionError(f"{address} could not book")


def kill(platform: OwnPlatform, service: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a service's process."""
    os.kill(pid_of(platform, service), number)


def supervisor_of(platform: OwnPlatform) -> Supervisor:
    plan = read_plan(platform.layout)
    assert plan is not None
    return Supervisor(Path(plan.socket))


def pid_of(platform: OwnPlatform, service: str) -> int:
    pid = supervisor_of(platform).services()[service].pid
    assert psutil.pid_exists(pid), f"{service} does not run"
    return pid


async def one_is_ready(platform: OwnPlatform, name: str, timeout_seconds: float = 60) -> None:
    """Wait until a booking of the burst `name` is ready."""
    database = Database(read_secret(platform.layout, "database_url"))
    ready = select(Booking.id).where(Booking.email.startswith(name), Booking.state == BookingState.READY)

    async def one() -> int | None:
        async with database.transaction() as session:
            return await session.scalar(ready.limit(1))

    try:
        await eventually(one, f"a booking of {name} is ready", timeout_seconds)
    finally:
        await database.close()


async def settled(platform: OwnPlatform, burst: Burst, timeout_seconds: float) -> dict[str, Booking]:
    """Return the burst's bookings by address, when each is ready or apologised for and its mails are sent."""
    database = Database(read_secret(platform.layout, "database_url"))
    bookings: dict[str, Booking] = {}
    open_mails = 0

    async def are_settled() -> bool:
        nonlocal bookings, open_mails
        try:
            async with database.transaction() as session:
                rows = await session.scalars(select(Booking).where(Booking.email.in_(burst.addresses)))
                bookings = {row.email: row for row in rows}
                ids = [row.id for row in bookings.values()]
                mails = select(Mail).where(Mail.booking_id.in_(ids), Mail.sent_at.is_(None))
                open_mails = len(list(await session.scalars(mails)))
        except Exception:  # the database may be the one that is restarting
            return False
        states = {row.state for row in bookings.values()}
        all_there = len(bookings) + len(burst.refused) == burst.count
        return all_there and states <= {BookingState.READY, BookingState.FAILED} and not open_mails

    def how_it_is() -> str:
        found = Counter(f"{row.state}: {row.failure}" for row in bookings.values())
        return f"all is settled, but {dict(found)}, {open_mails} mails not sent"

    try:
        await eventually(are_settled, how_it_is, timeout_seconds)
    finally:
        await database.close()
    return bookings


async def check_truths(platform: OwnPlatform, bookings: dict[str, Booking]) -> None:
    """Hold that no seat is shared or leaked, and that each student was told the truth, and once."""
    mails = platform.mailbox.mails()
    accounts = [
        credentials_of(mail).username
        for address, row in bookings.items()
        if row.state == BookingState.READY
        for mail in mails
        if mail["To"].addresses[0].addr_spec == address and kind_of(mail) == MailKind.CREDENTIALS
    ]
    shared = {account for account in accounts if accounts.count(account) > 1}
    assert not shared - _mailed_twice(bookings, mails), f"two students were sent to {shared}"
    for address, booking in bookings.items():
        kinds = [kind_of(mail) for mail in mails if mail["To"].addresses[0].addr_spec == address]
        passwords = {
            credentials_of(mail)
            for mail in mails
            if mail["To"].addresses[0].addr_spec == address and kind_of(mail) == MailKind.CREDENTIALS
        }
        if booking.state == BookingState.READY:
            assert len(passwords) == 1, f"{address} got {len(passwords)} different credentials"
            assert MailKind.APOLOGY not in kinds
        else:
            assert not passwords
            assert MailKind.APOLOGY in kinds, f"{address} got no apology"
            assert booking.failure
    await check_no_seat_leaks(platform)
    await check_log_ins(platform, bookings)
    await check_runs_closed(platform, bookings)


async def check_log_ins(platform: OwnPlatform, bookings: dict[str, Booking], count: int = 2) -> None:
    """Hold that the mailed passwords of `count` open sessions work at the hub, and that wrong ones don't."""
    hub_url = platform.settings.url("hub")
    await _answers(f"{hub_url}/hub/health")
    ready = [address for address, row in bookings.items() if row.state == BookingState.READY]
    assert ready
    for address in ready[:count]:
        credentials = credentials_of(await platform.mailbox.wait_for(MailKind.CREDENTIALS, address, 5))
        async with Student(hub_url, credentials.username) as student:
            assert not await student.log_in(f"{credentials.password}x"), f"{address} got in with a wrong password"
            assert await student.log_in(credentials.password), f"the password that {address} got is refused"


async def _answers(url: str, timeout_seconds: float = 60) -> None:
    """Wait until a service that was killed answers again."""
    async with httpx.AsyncClient(timeout=5) as browser:

        async def does() -> bool:
            with suppress(httpx.TransportError):
                return (await browser.get(url)).is_success
            return False

        await eventually(does, f"{url} answers", timeout_seconds)


async def check_runs_closed(
    platform: OwnPlatform, bookings: dict[str, Booking], timeout_seconds: float = 60
) -> None:
    """Hold that Prefect shows no run of these bookings as waiting or running, soon at the latest."""
    prefect_url = platform.settings.url("prefect")
    await _answers(f"{prefect_url}/api/health")
    ids = {row.id for row in bookings.values()}
    still_open = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}}}
    left: list[tuple[str, str]] = []
    async with httpx.AsyncClient(base_url=prefect_url, timeout=30) as prefect:

        async def are_closed() -> bool:
            runs = (await prefect.post("/api/flow_runs/filter", json=still_open)).raise_for_status().json()
            left[:] = [(run["name"], run["state"]) for run in runs if run["parameters"].get("booking_id") in ids]
            return not left

        await eventually(are_closed, lambda: f"closed in Prefect: {left}", timeout_seconds)


def _mailed_twice(bookings: dict[str, Booking], mails: list[EmailMessage]) -> set[str]:
    """Return the accounts whose own student got the same credentials more than once."""
    found: dict[str, set[str]] = defaultdict(set)
    for mail in mails:
        address = mail["To"].addresses[0].addr_spec
        if address in bookings and kind_of(mail) == MailKind.CREDENTIALS:
            found[credentials_of(mail).username].add(address)
    return {account for account, addresses in found.items() if len(addresses) == 1}


async def check_no_seat_leaks(platform: OwnPlatform) -> None:
    """Hold that each seat in use has exactly one unfinished booking, and each home that of its booking."""
    database = Database(read_secret(platform.layout, "database_url"))
    async with database.transaction() as session:
        held = list(await session.scalars(select(Booking.seat_id).where(is_unfinished())))
        in_use = select(Seat.account).where(Seat.id.in_(held))
        accounts = set(await session.scalars(in_use))
    await database.close()
    assert len(held) == len(set(held))
    homes = platform.settings.homes
    filled = {home.name for home in homes.glob("*") if list(home.glob("WKSHP-*"))}
    assert filled <= accounts, f"left on free seats: {sorted(filled - accounts)}"


async def leave_all(platform: OwnPlatform, bookings: dict[str, Booking], timeout_seconds: float = 120) -> None:
    """End the burst's sessions and wait until all their seats are free."""
    async with httpx.AsyncClient(base_url=platform.api_url, timeout=30) as api:
        await asyncio.gather(
            *(
                api.delete(f"/api/v1/bookings/{row.reference}")
                for row in bookings.values()
                if row.state == BookingState.READY
            )
        )
    database = Database(read_secret(platform.layout, "database_url"))
    unfinished = select(Booking).where(Booking.id.in_([row.id for row in bookings.values()]), is_unfinished())
    left: list[tuple[int | None, str, str]] = []

    async def are_over() -> bool:
        async with database.transaction() as session:
            left[:] = [(row.id, row.state, row.failure) for row in await session.scalars(unfinished)]
        return not left

    try:
        await eventually(are_over, lambda: f"over: {left}", timeout_seconds)
    finally:
        await database.close()

"""A service as a process of its own, and a shop full of workshops behind the API."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from eventually import until
from sqlalchemy import text

from models.rules.booking import BookingEvent, BookingState, session_end
from models.rules.signed_links import sign_link
from models.settings import Settings
from models.store.backends import offer_backend, take_in_backends
from models.store.bookings import details_by_reference, log_step, move
from models.store.catalog import save_workshop
from models.store.database import Database
from models.store.work import claim_mail, mark_mail_sent
from models.tables import Backend, Booking, utc_now

SEATS = 40

RunWod = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Process:
    """A service that a test run started, with what it wrote."""

    url: str
    running: subprocess.Popen[bytes]
    log: Path

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Shop:
    """The database behind the API, with the hands of an author and of an engine."""

    database: Database
    settings: Settings

    async def offer(self, key: str = "WKSHP-Test101", **values: Any) -> str:
        """Put a workshop on offer; return its key."""
        usual: dict[str, Any] = {
            "title": f"Title of {key}",
            "description": "What it is about.",
            "active": True,
            "capacity": 20,
            "priority": 1,
            "seat_first": 1,
            "seat_last": 20,
            "duration_hours": 4.0,
            "category": ["Open Source"],
            "presenter": "Ada Example",
            "presenter_role": "Engineer",
            "source": "samples",
            "content_digest": "0" * 64,
        }
        async with self.database.transaction() as session:
            await save_workshop(session, key, usual | values, utc_now())
        return key

    async def step(self, reference: str, name: str) -> None:
        """Finish a step of preparing, as the engine does."""
        async with self.database.transaction() as session:
            found = await details_by_reference(session, reference)
            if found.booking.state == BookingState.RESERVED:
                await self._move(session, found.booking, BookingEvent.PREPARE)
            await log_step(session, found.booking.id or 0, name, utc_now())

    async def open(self, reference: str, hours: float | None = None) -> None:
        """Open the seat, as the engine does."""
        async with self.database.transaction() as session:
            booking = (await details_by_reference(session, reference)).booking
            now = utc_now()
            ends_at = session_end(now, hours or booking.duration_hours, self.settings.hour_seconds)
            await self._move(session, booking, BookingEvent.OPEN, ready_at=now, ends_at=ends_at)

    async def move(self, reference: str, event: BookingEvent, **values: Any) -> None:
        """Move a booking on."""
        async with self.database.transaction() as session:
            await self._move(session, (await details_by_reference(session, reference)).booking, event, **values)

    async def send_mails(self, reference: str) -> None:
        """Hand over all mails of a booking to nobody, as if the mail server had taken them."""
        async with self.database.transaction() as session:
            booking = (await details_by_reference(session, reference)).booking
            now = utc_now()
            lease = timedelta(seconds=30)
            found = [await claim_mail(session, "test", now, lease, now, booking.id) for _ in range(9)]
            claims = [each for each in found if each]
            for claim in claims:
                await mark_mail_sent(session, claim.mail_id, "test", now)

    async def serve(self, reference: str, hours: float | None = None) -> None:
        """Do all that an engine does until the student can work."""
        await self.step(reference, "notebooks")
        await self.step(reference, "account")
        await self.open(reference, hours)
        await self.send_mails(reference)

    async def finish(self, reference: str, executed: int = 3, total: int = 4, **values: Any) -> None:
        """End a session as the engine does; so many of the notebooks' cells were run."""
        await self.move(reference, BookingEvent.LEAVE)
        done = {"finished_at": utc_now(), "cells_executed": executed, "cells_total": total}
        await self.move(reference, BookingEvent.RELEASE, **(done | values))

    def link(self, reference: str, at: datetime | None = None) -> str:
        """Return the signed link of a mail to the student's own page."""
        return sign_link(self.settings.secret("link_key"), reference, at or utc_now())

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        """Run a statement and return what the database says."""
        async with self.database.transaction() as session:
            answer: Any = await session.execute(text(sql), values)
            return list(answer) if answer.returns_rows else []

    async def _move(self, session: Any, booking: Booking, event: BookingEvent, **values: Any) -> None:
        await move(session, booking.id or 0, BookingState(booking.state), event, utc_now(), **values)


@asynccontextmanager
async def open_shop(settings: Settings) -> AsyncIterator[Shop]:
    """Yield the database of the API with seats and no workshops."""
    database = Database(settings.secret("database_url"))
    async with database.transaction() as session:
        tables = "badge_award, waiting_entry, booking, seat, backend, workshop, api_key, user_account, feedback"
        await session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        backend = Backend(
            name="localhost",
            number=1,
            hub_url="http://hub.test:8000",
            hub_api_url="http://127.0.0.1:1",
            machine="local",
        )
        await take_in_backends(session, [backend], {1: SEATS})
        await offer_backend(session, 1, [f"student{number}" for number in range(1, SEATS + 1)], utc_now())
    yield Shop(database, settings)
    await database.close()


def api_environment(process: Process) -> dict[str, str]:
    """Return the environment of a running process."""
    pairs = Path(f"/proc/{process.running.pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def wod_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a `wod` command that works where `settings` say."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")}
    return kept | {
        "WOD_STATE": str(settings.state_dir),
        "WOD_DATABASE_URL": settings.secret("database_url"),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def run_wod(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a `wod` command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ui.cli.main", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=wod_environment(settings),
        timeout=60,
    )


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def api_command() -> list[str]:
    """Return how the API is started."""
    return ["uvicorn", "--factory", "ui.api.main:create_app", "--no-access-log", "--no-proxy-headers", "--port"]


@contextmanager
def serve_process(
    command: list[str], port: int, environment: dict[str, str], log: Path, health: str
) -> Iterator[Process]:
    """Start a service on a port, yield it when its health address answers, and stop it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")}
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *command, str(port)],
            env=kept | environment,
            stdout=output,
            stderr=output,
        )
    process = Process(f"http://127.0.0.1:{port}", running, log)
    try:
        _wait_until_healthy(process, health)
        yield process
    finally:
        running.terminate()
        running.wait(10)


def _wait_until_healthy(process: Process, health: str) -> None:
    def is_healthy() -> bool:
        assert process.running.poll() is None, process.log.read_text()
        with suppress(httpx.TransportError):
            return httpx.get(process.url + health).is_success
        return False

    until(is_healthy, lambda: f"it is healthy. Its log: {process.log.read_text()}", 30)

"""A partner with a key, a booking of its own, a receiver of webhooks as a real server, and who delivers to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from eventually import eventually
from sqlalchemy import select
from sqlmodel import col

from deployments.engine.deliveries import Deliveries
from models.door_tables import ApiKey, Webhook
from models.rules.scopes import KEY_PREFIX, Scope, key_digest
from models.rules.webhooks import WebhookEvent
from models.settings import Settings
from models.store.database import Database
from models.store.partners import PartnerWish, reserve_for_partner, save_key
from models.store.reservations import Reservation
from models.store.webhooks import save_webhook
from models.tables import Booking, utc_now
from tasks.adapters.smtp import Mailer
from tasks.running_platform import Platform


@dataclass
class Message:
    """What a receiver was posted."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def verified(self, secret: str) -> bool:
        """Verify the signature as the Standard Webhooks specification says, not as we sign."""
        names = ("webhook-id", "webhook-timestamp")
        signed = ".".join([*(self.headers[name] for name in names), self.body.decode()]).encode()
        key = base64.b64decode(secret.split("_")[1])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """An HTTP server of a partner; `answers` are what it does with one message after the other, then 204."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)

    async def wait_for(self, count: int, seconds: float = 20) -> list[Message]:
        await eventually(
            lambda: len(self.messages) >= count, lambda: f"{count} messages come; {self.messages}", seconds
        )
        return self.messages


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Yield a receiver of webhooks on this machine."""
    found = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                found.messages.append(Message(self.path, headers, body, time.time()))
                answer = found.answers.pop(0) if found.answers else 204
            try:
                if callable(answer):
                    answer(self)
                else:
                    self.send_response(answer)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
            except OSError:
                pass  # who asked has gone

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def add_key(
    database: Database, name: str = "Acme", *, scopes: tuple[Scope, ...] = tuple(Scope), **values: Any
) -> tuple[int, str]:
    """Make a key; return its number and the key."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    usual: dict[str, Any] = {"request_rate": "6000/minute", "bookings_at_once": 20}
    async with database.transaction() as session:
        await save_key(
            session, name=name, key_digest=key_digest(key) or "", scopes=scopes, now=utc_now(), **usual | values
        )
        key_id = await session.scalar(select(col(ApiKey.id)).where(col(ApiKey.name) == name))
    return key_id or 0, key


async def book(database: Database, key_id: int, number: int = 1, idempotency_key: str = "") -> Booking:
    """Book a workshop for a user of a partner."""
    address = f"student{number}@example.com"
    reservation = Reservation(workshop_key="WKSHP-One", email=address, email_key=address, name="A Student")
    wish = PartnerWish(key_id, f"u-{number}", "https://portal.example.org", idempotency_key, "digest")
    async with database.transaction() as session:
        booking, _ = await reserve_for_partner(session, reservation, wish, utc_now(), hour_seconds=3600)
    return booking


async def add_webhook(
    database: Database, key_id: int, url: str, events: Sequence[WebhookEvent] = tuple(WebhookEvent)
) -> Webhook:
    """Have a receiver told what happens to a partner's bookings."""
    async with database.transaction() as session:
        return await save_webhook(session, key_id, url, events, utc_now())


def delivering_platform(database: Database, state: Path) -> Platform:
    """Return a platform that tries again soon, and posts to this machine."""
    settings = Settings(state_dir=state, link_key="link-key", retry_first_seconds=0.2, sweep_seconds=0.2)
    return Platform(settings, database, Mailer(settings), "engine-1")


@asynccontextmanager
async def delivering(platform: Platform) -> AsyncIterator[None]:
    """Deliver meanwhile, as an engine does."""
    task = asyncio.create_task(Deliveries(platform).run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

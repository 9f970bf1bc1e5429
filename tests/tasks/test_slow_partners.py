"""Partners whose addresses or name servers hang: what they hold up is what they are told themselves."""

from __future__ import annotations

import contextlib
import threading

import pytest
from partner_samples import add_key, add_webhook, book, delivering, delivering_platform, offer_workshop, receiver

from models.errors import StepFailed
from tasks.adapters.webhooks import WebhookSender

pytestmark = pytest.mark.integration

URL = "https://portal.example.org/"


@pytest.fixture
def platform(database, tmp_path):
    return delivering_platform(database, tmp_path)


@pytest.fixture
async def key_id(database):
    await offer_workshop(database)
    return (await add_key(database))[0]


@pytest.fixture
def told():
    with receiver() as found:
        yield found


@pytest.fixture
def slow(monkeypatch):
    """Yield a receiver that answers nothing for as long as the test runs, and is waited for."""
    monkeypatch.setattr("tasks.adapters.webhooks.ANSWER_SECONDS", 60.0)
    is_over = threading.Event()
    with receiver() as found:
        found.answers = [lambda _: is_over.wait()] * 100
        yield found
        is_over.set()


async def test_a_slow_webhook_holds_nobody_else_up(database, platform, key_id, told, slow):
    await add_webhook(database, key_id, slow.url)
    await add_webhook(database, key_id, told.url)
    for number in range(3):
        await book(database, key_id, number)
    async with delivering(platform):
        await told.wait_for(3)
        await slow.wait_for(1)
    assert len(slow.messages) == 1


async def test_an_answer_is_not_waited_for_for_ever(monkeypatch, told):
    is_over = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            while not is_over.wait(0.1):
                handler.wfile.write(b"X-Drip: 1\r\n")

    monkeypatch.setattr("tasks.adapters.webhooks.ANSWER_SECONDS", 1.0)
    told.answers = [drip]
    sender = WebhookSender(takes_loopback=True)
    with pytest.raises(StepFailed) as failed:
        await sender.post(told.url, b"{}", {})
    assert failed.value.reason == "webhook_too_slow"
    is_over.set()
    await sender.close()

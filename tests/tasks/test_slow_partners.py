"""Partners whose addresses or name servers hang: what they hold up is what they are told themselves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from partner_samples import add_key, add_webhook, book, delivering, delivering_platform, receiver

from models.errors import StepFailed
from tasks.adapters.webhooks import WebhookSender

pytestmark = pytest.mark.integration


@pytest.fixture
def platform(database, tmp_path):
    return delivering_platform(database, tmp_path)


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


async def test_a_slow_partner_holds_no_other_partner_up(database, platform, key_id, told, slow):
    for _ in range(8):
        await add_webhook(database, key_id, slow.url)
    for number in range(3):
        await book(database, key_id, number)
    other_id, _ = await add_key(database, "Other")
    await add_webhook(database, other_id, told.url)
    async with delivering(platform):
        await slow.wait_for(2)
        await book(database, other_id, 30)
        await told.wait_for(1)
    assert len(slow.messages) == 2


async def test_who_is_told_nothing_comes_before_partners_who_are_slow(database, platform, key_id, told, slow):
    first_answer = threading.Event()
    slow.answers[0] = lambda _: first_answer.wait()
    slow_keys = [key_id, *[(await add_key(database, f"Slow {number}"))[0] for number in range(3)]]
    for number, each in enumerate(slow_keys):
        await add_webhook(database, each, slow.url)
        await add_webhook(database, each, slow.url)
        await book(database, each, 2 * number)
        await book(database, each, 2 * number + 1)
    other_id, _ = await add_key(database, "Other")
    await add_webhook(database, other_id, told.url)
    async with delivering(platform):
        await slow.wait_for(8)
        await book(database, other_id, 30)
        first_answer.set()
        await told.wait_for(1)


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


@pytest.fixture
def silent_name_server(monkeypatch):
    """Yield nothing while a partner's name server answers nothing, as no real one does on demand."""
    is_over, look_up = threading.Event(), socket.getaddrinfo

    def hang(host, *arguments, **named):
        if str(host).endswith(".slow.test"):
            is_over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    is_over.set()


async def test_names_that_nobody_answers_for_hold_up_no_other_work(monkeypatch, told, silent_name_server):
    """Look-ups go on after they were given up, in threads of which seats that are prepared need none."""
    monkeypatch.setattr("tasks.adapters.webhooks.ANSWER_SECONDS", 0.5)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    sender = WebhookSender(takes_loopback=True)
    given_up = await asyncio.gather(
        *(sender.post(f"https://portal{number}.slow.test/", b"{}", {}) for number in range(20)),
        return_exceptions=True,
    )
    assert {each.reason for each in given_up} == {"webhook_too_slow"}
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "rendered"), 20) == "rendered"
    monkeypatch.setattr("tasks.adapters.webhooks.ANSWER_SECONDS", 20.0)
    assert await sender.post(told.url, b"{}", {}) == 204
    await sender.close()

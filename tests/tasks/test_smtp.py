from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from smtp_server import Start, a_mail, mail_servers, mailer_for, messages, server_process, settings_for

from models.errors import Refused, StepFailed
from models.settings import Settings
from tasks.adapters import smtp
from tasks.adapters.smtp import send


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with mail_servers(tmp_path) as start_server:
        yield start_server


async def test_a_mail_arrives_as_it_was_composed(start: Start) -> None:
    server = await start()
    sent = a_mail()
    await send(sent, settings_for(server))
    [got] = messages(server.folder)
    assert got["Subject"] == sent["Subject"] == "You're booked: L'été des données \u2013 “grand”"
    assert got["Message-ID"] == sent["Message-ID"]
    assert (got["X-MailFrom"], got["X-RcptTo"]) == ("workshops@wod.example.com", "ana@example.com")
    for subtype in ("plain", "html"):
        mine, theirs = sent.get_body((subtype,)), got.get_body((subtype,))
        assert mine is not None
        assert theirs is not None
        assert theirs.get_content().replace("\r\n", "\n") == mine.get_content().replace("\r\n", "\n")


async def test_one_after_the_other_mails_share_a_connection(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        for number in range(5):
            await mailer.send(a_mail(str(number)))
    assert len(messages(server.folder)) == 5
    assert server.connections == 1


async def test_mails_at_once_all_arrive_once(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        await asyncio.gather(*(mailer.send(a_mail(str(number))) for number in range(30)))
        await asyncio.gather(*(mailer.send(a_mail(str(number))) for number in range(30, 40)))
    assert len({each["Message-ID"] for each in messages(server.folder)}) == len(messages(server.folder)) == 40


async def test_a_connection_that_idled_too_long_is_not_used_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()
    monkeypatch.setattr(smtp, "KEPT_SECONDS", -1)
    async with mailer_for(settings_for(server)) as mailer:
        await mailer.send(a_mail("1"))
        await mailer.send(a_mail("2"))
    assert server.connections == 2


@pytest.mark.integration
async def test_a_server_that_restarts_loses_no_mail(tmp_path: Path) -> None:
    with socket.socket() as chooser:
        chooser.bind(("127.0.0.1", 0))
        port = chooser.getsockname()[1]
    settings = Settings(smtp_port=port, step_timeout_seconds=10)
    async with mailer_for(settings) as mailer:
        for life in range(2):
            async with server_process(port, tmp_path / "mail"):
                await mailer.send(a_mail(f"first of {life}"))
                await mailer.send(a_mail(f"second of {life}"))
        with pytest.raises(StepFailed) as failure:
            await mailer.send(a_mail("nobody listens"))
    assert failure.value.reason == "mail_unreachable"
    assert len(messages(tmp_path / "mail")) == 4


async def test_a_server_that_takes_leave_with_421_is_asked_again(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        await mailer.send(a_mail("1"))
        server.refusals["MAIL"] = "421 going down"
        await mailer.send(a_mail("2"))
    assert len(messages(server.folder)) == 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("stage", "answer", "kind", "reason"),
    [
        ("RCPT", "550 5.1.1 no such user", Refused, "mail_refused"),
        ("RCPT", "553 relaying denied", Refused, "mail_refused"),
        ("RCPT", "450 4.2.0 greylisted", StepFailed, "mail_postponed"),
        ("RCPT", "452 4.2.2 mailbox full", StepFailed, "mail_postponed"),
        ("DATA", "554 5.6.0 content refused", Refused, "mail_refused"),
        ("DATA", "451 4.3.0 disk full", StepFailed, "mail_postponed"),
        ("MAIL", "553 5.7.1 not your address", StepFailed, "mail_sender_refused"),
        ("MAIL", "421 4.3.2 shutting down", StepFailed, "mail_postponed"),
    ],
)
async def test_refusals_for_good_and_for_now(
    start: Start, stage: str, answer: str, kind: type[Exception], reason: str
) -> None:
    server = await start({stage: answer})
    async with mailer_for(settings_for(server)) as mailer:
        with pytest.raises(kind) as failure:
            await mailer.send(a_mail())
        assert failure.value.reason == reason  # type: ignore[attr-defined]
        assert answer[4:] in failure.value.detail  # type: ignore[attr-defined]
        await mailer.send(a_mail())
    assert len(messages(server.folder)) == 1


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    settings = Settings(smtp_port=server.sockets[0].getsockname()[1], step_timeout_seconds=0.3)
    async with server, asyncio.timeout(5):
        with pytest.raises(StepFailed) as failure:
            await send(a_mail(), settings)
    assert failure.value.reason == "mail_unreachable"


async def test_a_cancelled_mail_leaves_no_connection_behind(start: Start) -> None:
    server = await start()
    reached = asyncio.Event()

    async def wait_for_ever(*_: Any) -> str:
        reached.set()
        await asyncio.Event().wait()
        return ""

    server.handle_DATA = wait_for_ever  # type: ignore[method-assign]
    async with mailer_for(settings_for(server)) as mailer:
        sending = asyncio.create_task(mailer.send(a_mail("1")))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.handle_DATA = type(server).handle_DATA.__get__(server)  # type: ignore[method-assign]
        await mailer.send(a_mail("2"))
    assert [each["Message-ID"] for each in messages(server.folder)] == [a_mail("2")["Message-ID"]]

"""Feedback is mailed to the operator, once, and nothing of it is lost while the mail server is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from smtp_server import mail_servers, messages, settings_for
from sqlalchemy import text

from models.rules.people import plain_line
from models.store.feedback import keep_feedback, newest_feedback
from tasks.adapters.smtp import Mailer
from tasks.feedback import forward_feedback
from tasks.running_platform import Platform

pytestmark = pytest.mark.integration


@pytest.fixture
async def server(tmp_path):
    async with mail_servers(tmp_path) as start:
        yield await start()


@pytest.fixture
async def platform(server, database):
    settings = settings_for(server).model_copy(update={"feedback_email": "operators@example.org"})
    running = Platform(settings, database, Mailer(settings), "engine-1")
    yield running
    await running.mailer.close()


async def say(database, *said):
    async with database.transaction() as session:
        for each in said:
            keep_feedback(session, "ana@example.org", each)


async def test_feedback_goes_to_the_operator_once(platform, server):
    await say(platform.database, "Schön!\n.\nAnd <b>more</b>", "Second")
    assert await forward_feedback(platform) == 2
    assert await forward_feedback(platform) == 0
    first, second = sorted(messages(server.folder), key=lambda each: "Second" in each.get_content())
    assert first["X-RcptTo"] == "operators@example.org"
    assert (first["Reply-To"], first["Auto-Submitted"]) == ("ana@example.org", "auto-generated")
    assert "Schön!\n.\nAnd <b>more</b>" in first.get_content().replace("\r\n", "\n")
    assert first.get_content_type() == "text/plain"
    assert first["Message-ID"] != second["Message-ID"]


async def test_without_an_address_of_the_operators_nothing_is_mailed(platform, server):
    await say(platform.database, "kept")
    settings = platform.settings.model_copy(update={"feedback_email": ""})
    assert await forward_feedback(replace(platform, settings=settings)) == 0
    assert messages(server.folder) == []


async def test_what_the_server_does_not_take_now_waits_and_keeps_nothing_else(platform, server):
    await say(platform.database, "waits", "goes")
    server.refusals["DATA"] = "451 Not now"
    assert await forward_feedback(platform) == 1
    [mail] = messages(server.folder)
    assert "goes" in mail.get_content()
    assert await forward_feedback(platform) == 1
    assert sum("waits" in each.get_content() for each in messages(server.folder)) == 1


async def test_what_the_server_refuses_for_good_is_told_and_keeps_nothing_else(platform, server, caplog):
    await say(platform.database, "looks like spam", "goes")
    server.refusals["DATA"] = "550 We think that this is spam"
    assert await forward_feedback(platform) == 1
    [mail] = messages(server.folder)
    assert "goes" in mail.get_content()
    assert "feedback 1 can't be mailed (mail_refused); `wod feedback` shows it" in caplog.text
    assert await forward_feedback(platform) == 0
    async with platform.database.transaction() as session:
        assert [each.message for each in await newest_feedback(session, 9)] == ["looks like spam", "goes"]


async def test_feedback_that_no_mail_can_be_made_of_keeps_nothing_else(platform, server):
    await say(platform.database, "bad address", "goes")
    async with platform.database.transaction() as session:
        await session.execute(text("UPDATE feedback SET email = 'no address @ all' WHERE id = 1"))
    assert await forward_feedback(platform) == 1
    assert await forward_feedback(platform) == 0


async def test_while_the_server_is_away_all_waits(platform, server, caplog):
    await say(platform.database, "first", "second")
    away = Mailer(platform.settings.model_copy(update={"smtp_port": 9}))
    assert await forward_feedback(replace(platform, mailer=away)) == 0
    assert caplog.text.count("mail_unreachable") == 1, "a server that is away is asked once a round"
    async with platform.database.transaction() as session:
        assert [each.mailed_at for each in await newest_feedback(session, 9)] == [None, None]


async def test_two_engines_mail_it_once(platform, server):
    await say(platform.database, *(f"text {number}" for number in range(6)))
    sent = await asyncio.gather(*(forward_feedback(platform) for _ in range(3)))
    assert sum(sent) == len(messages(server.folder)) == 6
    async with platform.database.transaction() as session:
        assert all(each.mailed_at for each in await newest_feedback(session, 9))


async def test_a_brand_of_any_letters_is_a_subject(platform, server):
    await say(platform.database, "x")
    settings = platform.settings.model_copy(update={"brand": "Wörkshops\r\nBcc: x@example.org"})
    await forward_feedback(replace(platform, settings=settings))
    [mail] = messages(server.folder)
    assert mail["Bcc"] is None
    assert plain_line(settings.brand) in mail["Subject"]

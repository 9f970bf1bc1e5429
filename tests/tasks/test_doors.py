"""Doors as they are found: certificates good and bad, answers, and nobody there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.errors import StepFailed
from tasks.adapters.certificates import issue, new_authority
from tasks.adapters.doors import Doors

NOW = datetime.now(UTC)
AUTHORITY, ANOTHER = new_authority("ours", NOW), new_authority("another", NOW)
ANSWER = b'HTTP/1.1 418 Teapot\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"tea": true}'


@asynccontextmanager
async def door(folder: Path, authority=AUTHORITY, name="localhost", now=NOW) -> AsyncIterator[str]:
    """Serve the same answer to everybody by https; yield the address."""
    key, chain = issue(authority, [name], now)
    (folder / "key.pem").write_text(key)
    (folder / "chain.pem").write_text(chain)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    (tmp_path / "authority.pem").write_text(AUTHORITY.chain)
    opened = Doors(tmp_path / "authority.pem")
    yield opened
    await opened.close()


async def test_a_good_certificate_and_an_answer(doors: Doors, tmp_path: Path) -> None:
    async with door(tmp_path) as url:
        days = await doors.certificate_days(url, NOW)
        assert 396 < days.left < 397 <= days.in_all
        answer = await doors.ask("GET", f"{url}/")
    assert (answer.status, answer.json) == (418, {"tea": True})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"now": NOW - timedelta(days=400)}, "certificate has expired"),
        ({"name": "elsewhere.test"}, "not valid for 'localhost'"),
        ({"authority": ANOTHER}, "unable to get local issuer certificate"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said(doors: Doors, tmp_path: Path, wrong, why) -> None:
    async with door(tmp_path, **wrong) as url:
        for asking in (doors.certificate_days(url, NOW), doors.ask("GET", url), doors.logs_in(url, "a", "b")):
            with pytest.raises(StepFailed) as raised:
                await asking
            assert raised.value.reason == "certificate_wrong"
            assert url in raised.value.message
            assert why in raised.value.message


async def test_a_door_behind_which_nobody_is(doors: Doors, tmp_path: Path) -> None:
    async with door(tmp_path) as url:
        pass
    for asking in (doors.certificate_days(url, NOW), doors.ask("GET", url)):
        with pytest.raises(StepFailed) as raised:
            await asking
        assert raised.value.reason == "door_closed"
        assert url in raised.value.message

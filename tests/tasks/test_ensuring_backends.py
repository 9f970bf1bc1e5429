"""The platform's backends, from the file that lists them to seats that may be given out."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from ssh_servers import Keys

from models.errors import Refused
from models.rules.passwords import hub_token
from models.settings import Settings
from models.store.backends import BackendCondition, backend_conditions
from models.store.database import Database
from models.tables import Backend
from tasks.adapters.machine import LocalMachine
from tasks.adapters.smtp import Mailer
from tasks.backends import ensure_backend, ensure_until_ready, take_in
from tasks.running_platform import Platform

pytestmark = pytest.mark.integration


@pytest.fixture
def silent_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
async def platform(database: Database, tmp_path: Path, silent_port: int) -> AsyncIterator[Platform]:
    """Yield a platform with a backend on this machine and one that is away."""
    keys = Keys(tmp_path)
    keys.machine(silent_port)
    listed = tmp_path / "backends.yaml"
    listed.write_text(
        f"""\
backends:
  - name: here
    number: 1
    hub_url: http://127.0.0.1:1
    hub_api_url: http://127.0.0.1:1
    seats: 2
    homes: {tmp_path}/homes
    isolation: folders
  - name: away
    number: 2
    hub_url: http://127.0.0.1:2
    hub_api_url: http://127.0.0.1:2
    machine: wod@127.0.0.1:{silent_port}
    seats: 3
    homes: /student
"""
    )
    settings = Settings(
        state_dir=tmp_path,
        backends_file=listed,
        ssh_key_file=keys.client,
        ssh_known_hosts_file=tmp_path / f"known_hosts_{silent_port}",
        retry_first_seconds=0.05,
        hub_token="the master",
    )
    running = Platform(settings, database, Mailer(settings), "tests")
    yield running
    await running.close()


async def conditions(platform: Platform) -> dict[str, BackendCondition]:
    async with platform.database.transaction() as session:
        return {each.name: each for each in await backend_conditions(session)}


async def test_a_backend_that_is_away_keeps_no_other_from_being_ready(platform: Platform) -> None:
    here, away = await take_in(platform)
    both = asyncio.gather(*(ensure_until_ready(platform, each) for each in (here, away)))
    deadline = time.monotonic() + 20
    while not ((found := await conditions(platform))["here"].is_well and found["away"].failure):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
    assert (found["here"].seats, found["away"].seats, found["away"].is_ready) == (2, 0, False)
    assert "can't be reached over ssh" in found["away"].failure
    assert not both.done()

    # It is back: the attempt after that makes its seats.
    platform.machines[away.machine] = LocalMachine("away")
    settings = platform.settings
    returned = away.model_copy(update={"homes": settings.state_dir / "other", "isolation": "folders"})
    both.cancel()
    await asyncio.gather(both, return_exceptions=True)
    await ensure_until_ready(platform, returned)
    found = await conditions(platform)
    assert (found["away"].seats, found["away"].is_well) == (3, True)
    assert (settings.state_dir / "other/student3").is_dir()


async def test_each_hub_is_shown_its_own_token(platform: Platform, database: Database) -> None:
    await take_in(platform)
    async with database.transaction() as session:
        here, away = await session.scalars(select(Backend).order_by(Backend.number))
    assert platform.token(here) == "the master"
    assert platform.token(away) == hub_token("the master", "away")


@pytest.mark.parametrize("text", ["backends: []\n", "backends:\n  - name: one\n    seats: many\n", None])
async def test_a_list_that_is_wrong_changes_nothing(platform: Platform, text: str | None) -> None:
    await take_in(platform)
    before = await conditions(platform)
    listed = platform.settings.backends_file
    assert listed
    if text is None:
        listed.unlink()
    else:
        listed.write_text(text)
    with pytest.raises(Refused) as raised:
        await take_in(platform)
    assert raised.value.reason == "backends_file_wrong"
    assert str(listed) in raised.value.message
    assert await conditions(platform) == before


async def test_without_a_list_this_machine_is_the_backend(database: Database, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, seats=4, backend_name="one machine", isolation="folders")
    alone = Platform(settings, database, Mailer(settings), "tests")
    [backend] = await take_in(alone)
    await ensure_backend(alone, backend)
    assert await conditions(alone) == {"one machine": BackendCondition("one machine", "local", 4, True, "")}
    assert {each.name for each in (tmp_path / "seats").iterdir() if not each.name.startswith(".")} == {
        f"student{number}" for number in range(1, 5)
    }
    assert (tmp_path / "seats").stat().st_uid == os.geteuid()
    await alone.mailer.close()

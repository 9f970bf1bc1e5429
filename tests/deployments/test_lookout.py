"""What a running engine sees of hubs and of Prefect, and what becomes of its word when it goes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from deployments.engine.lookout import Lookout
from models.errors import StepFailed
from models.store.backends import backend_conditions, offer_backend, take_in_backends
from models.store.database import Database
from models.store.engines import beat, living_engines
from models.tables import Backend, EngineBeat, utc_now


class Hub:
    """A hub that answers, or not."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.looks = 0

    async def look(self) -> None:
        self.looks += 1
        if self.failure:
            raise self.failure


class Around:
    """What is around an engine in a test: the database is real."""

    def __init__(self, database: Database) -> None:
        self.database, self.owner = database, "engine-1"
        self.hubs = {"one": Hub(), "two": Hub()}

    def hub(self, backend: Backend) -> Hub:
        return self.hubs[backend.name]


async def lookout_of(around: Around, recorder: Any) -> Lookout:
    listed = [
        Backend(name=name, number=number, hub_url="", hub_api_url="")
        for number, name in enumerate(around.hubs, start=1)
    ]
    async with around.database.transaction() as session:
        await take_in_backends(session, listed, {1: 1, 2: 1})
        for number in (1, 2):
            await offer_backend(session, number, [f"student{number}"], utc_now())
    return Lookout(around, recorder)  # type: ignore[arg-type]


async def failures(database: Database) -> list[str]:
    async with database.transaction() as session:
        return [each.hub_failure for each in await backend_conditions(session)]


async def test_hubs_that_do_not_answer_are_noted_until_they_do(database: Database, monkeypatch) -> None:
    monkeypatch.setattr("deployments.engine.lookout.AWAY_HUB_SECONDS", 0.05)
    around = Around(database)
    lookout = await lookout_of(around, None)
    around.hubs["two"].failure = StepFailed("The hub of two is away.", reason="hub_unreachable")
    await lookout.look_at_hubs()
    assert await failures(database) == ["", "The hub of two is away."]
    around.hubs["two"].failure = None
    await asyncio.sleep(0.1)
    await lookout.look_at_hubs()
    assert await failures(database) == ["", ""]
    # Hubs that answer are left alone for a while.
    assert (around.hubs["one"].looks, around.hubs["two"].looks) == (1, 2)


async def test_an_engine_is_known_while_it_lives(database: Database) -> None:
    around, recorder = Around(database), SimpleNamespace(is_available=True)
    lookout = await lookout_of(around, recorder)

    async def known() -> list[bool]:
        async with database.transaction() as session:
            return [each.sees_prefect for each in await living_engines(session, utc_now())]

    assert await known() == []
    await lookout.beat()
    assert await known() == [True]
    recorder.is_available = False
    await lookout.beat()
    assert await known() == [False]
    await lookout.end()
    assert await known() == []


async def test_engines_that_ended_without_a_word_are_forgotten(database: Database) -> None:
    now = utc_now()

    async def remembered() -> list[str]:
        async with database.transaction() as session:
            return list(await session.scalars(select(EngineBeat.owner).order_by(EngineBeat.owner)))

    async with database.transaction() as session:
        await beat(session, "silent", now - timedelta(minutes=2), sees_prefect=True)
        await beat(session, "killed", now - timedelta(hours=2), sees_prefect=True)
        assert await living_engines(session, now) == []
    async with database.transaction() as session:
        await beat(session, "alive", now, sees_prefect=True)
        assert [each.owner for each in await living_engines(session, now)] == ["alive"]
    assert await remembered() == ["alive", "silent"]

"""What an engine clears away by and by, each part whatever becomes of the others."""

from __future__ import annotations

import asyncio

import pytest
from eventually import eventually
from partner_samples import add_key, add_webhook, book
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import text
from store_samples import offer

from deployments.engine.engine import Engine
from deployments.engine.recorder import Recorder
from models.settings import Settings
from tasks.adapters.smtp import Mailer
from tasks.running_platform import Platform, use_platform

pytestmark = pytest.mark.integration


async def test_an_archive_that_cannot_be_deleted_keeps_no_old_delivery(database, tmp_path, caplog):
    await offer(database)
    key_id, _ = await add_key(database)
    await add_webhook(database, key_id, "https://portal.example.org/")
    booking = await book(database, key_id)
    settings = Settings(state_dir=tmp_path, link_key="link-key")
    platform = Platform(settings, database, Mailer(settings), "engine-1")
    use_platform(platform)
    platform.archive(booking.id).mkdir(parents=True)  # where a file is expected
    async with database.transaction() as session:
        await session.execute(text("UPDATE booking SET due_at = now() + interval '1 hour'"))
        await session.execute(text("UPDATE booking SET archive_until = now() - interval '1 hour'"))
        await session.execute(text("UPDATE webhook_delivery SET delivered_at = now(), created_at = '2020-01-01'"))
    stop = asyncio.Event()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        engine = asyncio.create_task(Engine(platform, Recorder("without Prefect")).run(stop))

    async def is_forgotten() -> bool:
        async with database.transaction() as session:
            return not await session.scalar(text("SELECT count(*) FROM webhook_delivery"))

    await eventually(is_forgotten, "the old delivery is forgotten")
    stop.set()
    await engine
    assert "Engine._drop_archives failed: " in caplog.text

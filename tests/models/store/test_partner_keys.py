"""Keys of partners in a real database: what a request may still do while its key is revoked."""

from __future__ import annotations

import asyncio

import pytest
from partner_samples import add_key, add_webhook, book
from store_samples import offer, until_somebody_waits

from models.errors import Refused
from models.store.partners import revoke_key
from models.store.webhooks import webhook_of
from models.tables import utc_now

pytestmark = pytest.mark.integration

URL = "https://portal.example.org/hook"


async def book_once_more(database, key_id, webhook):
    await book(database, key_id, 2)


async def book_again(database, key_id, webhook):
    await book(database, key_id, 1, "the same")


async def add_another_webhook(database, key_id, webhook):
    await add_webhook(database, key_id, URL)


async def enable_webhook(database, key_id, webhook):
    async with database.transaction() as session:
        (await webhook_of(session, key_id, webhook.reference)).disabled_at = None


@pytest.mark.parametrize("asked", [book_once_more, book_again, add_another_webhook, enable_webhook])
async def test_a_request_that_is_under_way_does_not_outlive_its_key(database, asked):
    await offer(database)
    key_id, _ = await add_key(database)
    webhook = await add_webhook(database, key_id, URL)
    await book(database, key_id, 1, "the same")
    async with database.transaction() as session:
        await revoke_key(session, "Acme", utc_now())
        request = asyncio.create_task(asked(database, key_id, webhook))
        await until_somebody_waits(database)
    with pytest.raises(Refused) as refused:
        await request
    assert refused.value.reason == "key_unknown"

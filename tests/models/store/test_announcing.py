"""What is promised to webhooks, on a real PostgreSQL, while their partners change them."""

import asyncio

import pytest
from partner_samples import add_key, book
from sqlalchemy import func, select
from store_samples import offer

from models.door_tables import WebhookDelivery
from models.rules.booking import BookingState
from models.rules.webhooks import WebhookEvent
from models.store.bookings import leave
from models.store.webhooks import save_webhook, webhook_of
from models.tables import Booking, utc_now

pytestmark = pytest.mark.integration


async def test_a_booking_moves_on_while_its_partner_deletes_a_webhook(database):
    await offer(database)
    key_id, _ = await add_key(database)
    async with database.transaction() as session:
        deleted, kept = [
            await save_webhook(session, key_id, f"https://example.org/{name}", list(WebhookEvent), utc_now())
            for name in ("deleted", "kept")
        ]
    booking = await book(database, key_id)

    async def end():
        async with database.transaction() as session:
            await leave(session, booking.reference, utc_now())

    async with database.transaction() as session:
        await session.delete(await webhook_of(session, key_id, deleted.reference))
        await session.flush()
        ending = asyncio.create_task(end())
        await asyncio.wait([ending], timeout=0.5)
    await ending
    async with database.transaction() as session:
        assert (await session.get_one(Booking, booking.id)).state == BookingState.ENDING
        told = await session.execute(
            select(WebhookDelivery.webhook_id, func.count()).group_by(WebhookDelivery.webhook_id)
        )
        assert told.all() == [(kept.id, 2)]

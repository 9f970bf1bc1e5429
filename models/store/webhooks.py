"""Webhooks of partners in SQL, and what was promised to them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import Webhook, WebhookDelivery
from models.errors import Refused
from models.rules.webhooks import WebhookEvent
from models.store.database import DELIVERIES, WORK_CHANNEL
from models.store.partners import cursor_row, lock_key

# More receivers than this are one receiver that should tell others itself.
WEBHOOKS_OF_A_KEY = 10


async def save_webhook(
    session: AsyncSession, api_key_id: int, url: str, events: Sequence[WebhookEvent], now: datetime
) -> Webhook:
    """Keep a new webhook of a key.

    Raises:
        Refused: too_many_webhooks, or as lock_key does.

    """
    await lock_key(session, api_key_id)
    count = select(func.count()).where(col(Webhook.api_key_id) == api_key_id)
    if (await session.scalar(count) or 0) >= WEBHOOKS_OF_A_KEY:
        raise Refused(
            f"This key has {WEBHOOKS_OF_A_KEY} webhooks, and can have no more. Delete one first.",
            reason="too_many_webhooks",
        )
    webhook = Webhook(
        reference=f"hook_{secrets.token_urlsafe(18)}",
        api_key_id=api_key_id,
        url=url,
        events=list(events),
        created_at=now,
    )
    session.add(webhook)
    await session.flush()
    return webhook


async def webhooks_of(session: AsyncSession, api_key_id: int) -> Sequence[Webhook]:
    """Return the webhooks of a key, oldest first: at most WEBHOOKS_OF_A_KEY."""
    rows = await session.scalars(
        select(Webhook).where(col(Webhook.api_key_id) == api_key_id).order_by(col(Webhook.id))
    )
    return list(rows)


async def webhook_of(session: AsyncSession, api_key_id: int, reference: str) -> Webhook:
    """Return one webhook of a key, both locked.

    Raises:
        Refused: webhook_unknown, for those of others, too; or as lock_key does.

    """
    await lock_key(session, api_key_id)
    webhook = await session.scalar(
        select(Webhook)
        .where(col(Webhook.api_key_id) == api_key_id, col(Webhook.reference) == reference)
        .with_for_update(key_share=True)
    )
    if webhook is None:
        raise unknown_webhook()
    return webhook


async def deliveries_of(
    session: AsyncSession, webhook: Webhook, *, after: str = "", limit: int
) -> Sequence[WebhookDelivery]:
    """Return up to `limit` of what was promised to a webhook, newest first, beginning after `after`.

    Raises:
        Refused: cursor_unknown.

    """
    mine = col(WebhookDelivery.webhook_id) == webhook.id
    wanted = select(WebhookDelivery).where(mine).order_by(col(WebhookDelivery.id).desc()).limit(limit)
    if after:
        row_id = await session.scalar(
            select(col(WebhookDelivery.id)).where(mine, col(WebhookDelivery.reference) == after)
        )
        wanted = wanted.where(col(WebhookDelivery.id) < cursor_row(row_id))
    return list(await session.scalars(wanted))


async def repeat_delivery(
    session: AsyncSession, webhook: Webhook, reference: str, now: datetime
) -> WebhookDelivery:
    """Have something delivered once more, whatever came of it until now.

    Raises:
        Refused: delivery_unknown.

    """
    delivery = await session.scalar(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.webhook_id) == webhook.id, col(WebhookDelivery.reference) == reference)
        .values(due_at=now, delivered_at=None, given_up_at=None)
        .returning(WebhookDelivery)
    )
    if delivery is None:
        raise unknown_delivery()
    await session.execute(text(f"NOTIFY {WORK_CHANNEL}, '{DELIVERIES}'"))
    return delivery


def unknown_webhook() -> Refused:
    """Return the refusal for a reference that names no webhook of the key."""
    return Refused("There is no such webhook of yours.", reason="webhook_unknown")


def unknown_delivery() -> Refused:
    """Return the refusal for a reference that names no delivery of the webhook."""
    return Refused("There is no such delivery of this webhook.", reason="delivery_unknown")

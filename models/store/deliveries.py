"""Due deliveries to partners in SQL: how engines share them by leases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.door_tables import PartnerBooking, Webhook, WebhookDelivery
from models.tables import BookingLog

# Messages of one key that are on their way at once: of the few of an engine, a partner that hangs takes no more.
_OF_A_KEY_AT_ONCE = 2

# How long partners can see what was delivered, and ask for it again.
_KEPT_FOR = timedelta(days=30)


@dataclass(frozen=True)
class DeliveryClaim:
    """Something to be told to a webhook that the caller's lease covers."""

    delivery_id: int
    reference: str
    webhook: str
    url: str
    event: str
    body: dict[str, Any]
    attempts: int
    created_at: datetime


async def claim_delivery(
    session: AsyncSession, owner: str, now: datetime, lease: timedelta
) -> DeliveryClaim | None:
    """Take a lease on the longest due delivery that nobody holds, of a webhook to which nothing is on its way.

    So a webhook that is slow waits for itself alone, and hears things in their order unless one fails. A key has
    two on their way at once, and keys that have none come first; engines that look at the same moment may each
    begin one more.
    """
    other, others_webhook = aliased(WebhookDelivery), aliased(Webhook)
    on_its_way = (
        col(other.lease_until) >= now,
        col(other.delivered_at).is_(None),
        col(other.given_up_at).is_(None),
    )
    is_busy = exists().where(col(other.webhook_id) == col(WebhookDelivery.webhook_id), *on_its_way)
    told_keys = (
        select(col(others_webhook.api_key_id))
        .join(other, col(other.webhook_id) == col(others_webhook.id))
        .where(*on_its_way)
        .group_by(col(others_webhook.api_key_id))
    )
    busy_keys = told_keys.having(func.count() >= _OF_A_KEY_AT_ONCE)
    due = (
        select(WebhookDelivery, Webhook)
        .join(Webhook, col(Webhook.id) == col(WebhookDelivery.webhook_id))
        .where(
            col(WebhookDelivery.delivered_at).is_(None),
            col(WebhookDelivery.given_up_at).is_(None),
            col(WebhookDelivery.due_at) <= now,
            or_(col(WebhookDelivery.lease_until).is_(None), col(WebhookDelivery.lease_until) < now),
            col(Webhook.disabled_at).is_(None),
            ~is_busy,
            col(Webhook.api_key_id).not_in(busy_keys),
        )
        .order_by(col(Webhook.api_key_id).in_(told_keys), col(WebhookDelivery.due_at), col(WebhookDelivery.id))
        .limit(1)
        # The webhook's row, too, so that engines don't begin with the same one at once.
        .with_for_update(skip_locked=True, key_share=True)
    )
    row = (await session.execute(due)).first()
    if row is None:
        return None
    delivery, webhook = row
    delivery.lease_owner, delivery.lease_until = owner, now + lease
    body = delivery.body | {
        "data": delivery.body["data"] | {"partner_user": await _partner_user(session, delivery)}
    }
    return DeliveryClaim(
        delivery.id,
        delivery.reference,
        webhook.reference,
        webhook.url,
        delivery.event,
        body,
        delivery.attempts,
        delivery.created_at,
    )


async def mark_delivered(
    session: AsyncSession, claim: DeliveryClaim, owner: str, now: datetime, status: int
) -> None:
    """Note that a webhook took what it was told."""
    await _note(session, claim, owner, status=status, failure="", delivered_at=now)


async def postpone_delivery(
    session: AsyncSession,
    claim: DeliveryClaim,
    owner: str,
    now: datetime,
    wait: timedelta | None,
    status: int | None,
    failure: str,
) -> None:
    """Note a failed attempt and when the next is due; `wait` None gives the delivery up."""
    values: dict[str, Any] = {"given_up_at": now} if wait is None else {"due_at": now + wait}
    await _note(session, claim, owner, status=status, failure=failure, **values)


async def disable_webhook(session: AsyncSession, reference: str, now: datetime) -> None:
    """Tell a webhook nothing any more until its partner enables it; what was promised to it waits."""
    await session.execute(update(Webhook).where(col(Webhook.reference) == reference).values(disabled_at=now))


async def drop_old_deliveries(session: AsyncSession, now: datetime) -> None:
    """Forget what was to be told long ago."""
    await session.execute(delete(WebhookDelivery).where(col(WebhookDelivery.created_at) < now - _KEPT_FOR))


async def _note(session: AsyncSession, claim: DeliveryClaim, owner: str, **values: Any) -> None:
    await session.execute(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.id) == claim.delivery_id, col(WebhookDelivery.lease_owner) == owner)
        .values(attempts=WebhookDelivery.attempts + 1, lease_owner=None, lease_until=None, **values)
    )


async def _partner_user(session: AsyncSession, delivery: WebhookDelivery) -> str:
    """Return the partner's name for the student, empty when the student was forgotten meanwhile."""
    found = await session.scalar(
        select(col(PartnerBooking.partner_user))
        .join(BookingLog, col(BookingLog.booking_id) == col(PartnerBooking.booking_id))
        .where(col(BookingLog.id) == delivery.booking_log_id)
    )
    return found or ""

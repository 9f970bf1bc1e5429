"""Routes: where partners want to be told what happens to their bookings, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Header, Response

from models import door_tables
from models.rules.webhooks import WebhookEvent, webhook_secret
from models.store.bookings import known_id
from models.store.database import Session
from models.store.webhooks import (
    deliveries_of,
    repeat_delivery,
    save_webhook,
    unknown_delivery,
    unknown_webhook,
    webhook_of,
    webhooks_of,
)
from models.tables import utc_now
from ui.api.partner_schemas import (
    Delivery,
    DeliveryPage,
    Webhook,
    WebhookChange,
    WebhookCreated,
    WebhookList,
    WebhookMessage,
    WebhookRequest,
)
from ui.api.partners.access import WebhooksWriter, partner_answers
from ui.api.partners.bookings import Cursor, Limit
from ui.api.parts import DatabaseHere, SettingsHere, checked_reference
from ui.api.wishes import CheckedRoute, refuse_wrong_fields

_BODY = ("input_wrong", "request_malformed", "request_too_large")

router = APIRouter(prefix="/api/v1/partner", tags=["partners"], route_class=CheckedRoute)


# What the platform asks of partners: nothing here is ever called, it is described.
messages = APIRouter(tags=["partners"])


@messages.post("message", operation_id="take_message", status_code=HTTPStatus.NO_CONTENT)
async def take_message(
    message: WebhookMessage,
    webhook_id: Annotated[str, Header(description="The same, however often the message is sent.")],
    webhook_timestamp: Annotated[int, Header(description="When it was sent: seconds since 1970.")],
    webhook_signature: Annotated[
        str,
        Header(description="v1, and HMAC-SHA256 of webhook-id.webhook-timestamp.body with the secret, in Base64."),
    ],
) -> None:
    """Take what a webhook is told: your address answers 2xx within ten seconds, or is sent it again."""


@router.post(
    "/webhooks",
    status_code=HTTPStatus.CREATED,
    responses=partner_answers(HTTPStatus.CREATED, "too_many_webhooks", *_BODY),
)
async def add_webhook(
    wish: Annotated[WebhookRequest, Body()],
    response: Response,
    partner: WebhooksWriter,
    settings: SettingsHere,
    database: DatabaseHere,
) -> WebhookCreated:
    """Name an address that is told from now on what happens to your bookings.

    Messages are posted and signed as the Standard Webhooks specification says. Any answer of 2xx within ten
    seconds takes a message; otherwise it comes again, with growing pauses. 410 disables the webhook.
    """
    refuse_wrong_fields(wish.model_dump(), settings)
    async with database.transaction() as session:
        webhook = await save_webhook(session, known_id(partner.id), wish.url, _events(wish.events), utc_now())
    response.headers["Location"] = f"{settings.url('api')}/api/v1/partner/webhooks/{webhook.reference}"
    secret = webhook_secret(settings.secret("link_key"), webhook.reference)
    return WebhookCreated(**_shown(webhook).model_dump(), secret=secret)


@router.get("/webhooks", responses=partner_answers(HTTPStatus.OK))
async def list_webhooks(partner: WebhooksWriter, database: DatabaseHere) -> WebhookList:
    """Return your webhooks, oldest first: ten at most."""
    async with database.transaction() as session:
        return WebhookList(webhooks=[_shown(each) for each in await webhooks_of(session, known_id(partner.id))])


@router.get("/webhooks/{reference}", responses=partner_answers(HTTPStatus.OK, "webhook_unknown"))
async def read_webhook(reference: str, partner: WebhooksWriter, database: DatabaseHere) -> Webhook:
    """Return one of your webhooks."""
    async with database.transaction() as session:
        return _shown(await _locked(session, partner, reference))


@router.patch("/webhooks/{reference}", responses=partner_answers(HTTPStatus.OK, "webhook_unknown", *_BODY))
async def change_webhook(
    reference: str,
    wish: Annotated[WebhookChange, Body()],
    partner: WebhooksWriter,
    settings: SettingsHere,
    database: DatabaseHere,
) -> Webhook:
    """Change a webhook's address or events, or switch it off and on; what waits for it goes on then."""
    refuse_wrong_fields(wish.model_dump(), settings)
    async with database.transaction() as session:
        webhook = await _locked(session, partner, reference)
        webhook.url = wish.url or webhook.url
        webhook.events = list(_events(wish.events)) if wish.events else webhook.events
        if wish.is_enabled is not None:
            webhook.disabled_at = None if wish.is_enabled else utc_now()
    return _shown(webhook)


@router.delete(
    "/webhooks/{reference}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=partner_answers(HTTPStatus.NO_CONTENT, "webhook_unknown"),
)
async def remove_webhook(reference: str, partner: WebhooksWriter, database: DatabaseHere) -> None:
    """Remove a webhook, with what waits for it."""
    async with database.transaction() as session:
        await session.delete(await _locked(session, partner, reference))


@router.get(
    "/webhooks/{reference}/deliveries",
    responses=partner_answers(HTTPStatus.OK, "webhook_unknown", "input_wrong", "cursor_unknown"),
)
async def list_deliveries(
    reference: str,
    partner: WebhooksWriter,
    database: DatabaseHere,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """Return what a webhook was to be told, newest first, a page at a time, and what came of it."""
    async with database.transaction() as session:
        webhook = await _locked(session, partner, reference)
        found = await deliveries_of(session, webhook, after=cursor or "", limit=limit + 1)
    shown = [_shown_delivery(each) for each in found[:limit]]
    return DeliveryPage(deliveries=shown, next_cursor=shown[-1].reference if len(found) > limit else None)


@router.post(
    "/webhooks/{reference}/deliveries/{delivery}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses=partner_answers(HTTPStatus.ACCEPTED, "webhook_unknown", "delivery_unknown"),
)
async def retry_delivery(
    reference: str, delivery: str, partner: WebhooksWriter, database: DatabaseHere
) -> Delivery:
    """Have a message delivered now, also one that was delivered or given up; its webhook-id stays the same."""
    async with database.transaction() as session:
        webhook = await _locked(session, partner, reference)
        message = checked_reference(delivery, unknown_delivery)
        return _shown_delivery(await repeat_delivery(session, webhook, message, utc_now()))


async def _locked(session: Session, partner: door_tables.ApiKey, reference: str) -> door_tables.Webhook:
    return await webhook_of(session, known_id(partner.id), checked_reference(reference, unknown_webhook))


def _events(names: Sequence[str]) -> list[WebhookEvent]:
    return [event for event in WebhookEvent if event in names]


def _shown(webhook: door_tables.Webhook) -> Webhook:
    return Webhook.model_validate(
        {
            "reference": webhook.reference,
            "url": webhook.url,
            "events": webhook.events,
            "is_enabled": webhook.disabled_at is None,
            "created_at": webhook.created_at,
        }
    )


def _shown_delivery(row: door_tables.WebhookDelivery) -> Delivery:
    is_pending = row.delivered_at is None and row.given_up_at is None
    state = "pending" if is_pending else "delivered" if row.delivered_at else "given_up"
    return Delivery.model_validate(
        {
            "reference": row.reference,
            "event": row.event,
            "booking": row.body["data"]["reference"],
            "state": state,
            "attempts": row.attempts,
            "status": row.status,
            "failure": row.failure,
            "created_at": row.created_at,
            "next_attempt_at": row.due_at if is_pending else None,
            "delivered_at": row.delivered_at,
        }
    )

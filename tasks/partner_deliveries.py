"""Telling partners' webhooks what was promised to them, signed, and again until they take it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from http import HTTPStatus

from models.errors import StepFailed
from models.rules.booking import retry_delay
from models.rules.webhooks import signed_headers, webhook_secret
from models.store.deliveries import (
    DeliveryClaim,
    claim_delivery,
    disable_webhook,
    drop_old_deliveries,
    mark_delivered,
    postpone_delivery,
)
from models.store.partners import forget_answers
from models.tables import utc_now
from tasks.adapters.webhooks import ANSWER_SECONDS, WebhookSender
from tasks.running_platform import Platform

logger = logging.getLogger(__name__)

# The pauses grow up to an hour: a partner's outage is found by its own people, not by ours.
_LONGEST_WAIT_SECONDS = 3600


async def next_delivery(platform: Platform) -> DeliveryClaim | None:
    """Take a lease on what is to be told next, None when nothing is due."""
    lease = timedelta(seconds=platform.settings.lease_seconds + ANSWER_SECONDS)
    async with platform.database.transaction() as session:
        return await claim_delivery(session, platform.owner, utc_now(), lease)


async def deliver(platform: Platform, sender: WebhookSender, claim: DeliveryClaim) -> None:
    """Post one message, and note what came of it.

    An engine that is killed in between posts it again, under the same webhook-id.
    """
    body = json.dumps(claim.body, ensure_ascii=False, separators=(",", ":")).encode()
    secret = webhook_secret(platform.settings.secret("link_key"), claim.webhook)
    status = None
    try:
        status = await sender.post(claim.url, body, signed_headers(secret, claim.reference, utc_now(), body))
        failure = "" if 200 <= status < 300 else f"The address answered {status}."
    except StepFailed as error:
        failure = error.message
    await _note(platform, claim, status, failure)


async def forget_old_deliveries(platform: Platform) -> None:
    """Forget what partners were told or answered long ago."""
    async with platform.database.transaction() as session:
        await drop_old_deliveries(session, utc_now())
        await forget_answers(session, utc_now())


async def _note(platform: Platform, claim: DeliveryClaim, status: int | None, failure: str) -> None:
    settings, now = platform.settings, utc_now()
    async with platform.database.transaction() as session:
        if status is not None and not failure:
            await mark_delivered(session, claim, platform.owner, now, status)
            return
        if status == HTTPStatus.GONE:
            # First: a partner who deletes a webhook, or repeats a delivery, locks the webhook before the delivery.
            await disable_webhook(session, claim.webhook, now)
        is_too_old = now - claim.created_at > timedelta(hours=settings.webhook_retry_limit_hours)
        wait = retry_delay(claim.attempts + 1, settings.retry_first_seconds, _LONGEST_WAIT_SECONDS)
        await postpone_delivery(session, claim, platform.owner, now, None if is_too_old else wait, status, failure)
    logger.info("%s for %s was not taken: %s", claim.reference, claim.webhook, failure)

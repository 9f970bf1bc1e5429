"""What partners are told of their bookings, and how it is signed: the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from enum import StrEnum

from models.rules.booking import BookingEvent, BookingState

SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's mark of a secret, not one


class WebhookEvent(StrEnum):
    """What a webhook may be told, as it is named there."""

    RESERVED = "booking.reserved"
    READY = "booking.ready"
    REMINDED = "booking.reminded"
    EXTENDED = "booking.extended"
    ENDING = "booking.ending"
    ENDED = "booking.ended"
    FAILED = "booking.failed"


_EVENTS: dict[str, WebhookEvent] = {
    "reserve": WebhookEvent.RESERVED,
    BookingEvent.OPEN: WebhookEvent.READY,
    BookingEvent.REMIND: WebhookEvent.REMINDED,
    BookingEvent.EXTEND: WebhookEvent.EXTENDED,
    BookingEvent.EXPIRE: WebhookEvent.ENDING,
    BookingEvent.LEAVE: WebhookEvent.ENDING,
}
_LAST_EVENTS: dict[str, WebhookEvent] = {
    BookingState.ENDED: WebhookEvent.ENDED,
    BookingState.FAILED: WebhookEvent.FAILED,
}


def webhook_event(event: str, state: str) -> WebhookEvent | None:
    """Return what partners are told when a booking's log says `event` with the new `state`, if anything."""
    if event == BookingEvent.RELEASE:
        return _LAST_EVENTS.get(BookingState(state))
    return _EVENTS.get(event)


def webhook_secret(link_key: str, reference: str) -> str:
    """Return the secret of the webhook that `reference` names: always the same, so that nothing has to keep it."""
    digest = hmac.new(link_key.encode(), f"secret of webhook {reference}".encode(), hashlib.sha256).digest()
    return SECRET_PREFIX + base64.b64encode(digest).decode()


def signed_headers(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers by which the receiver of `body` knows who sent it, when, and which message it is."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }

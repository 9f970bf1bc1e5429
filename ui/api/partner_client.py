"""The API's typed client for programs of partners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ui.api.client import ApiClient
from ui.api.partner_schemas import (
    Delivery,
    DeliveryPage,
    PartnerBooking,
    PartnerBookingPage,
    PartnerBookingRequest,
    Webhook,
    WebhookChange,
    WebhookCreated,
    WebhookList,
    WebhookRequest,
)
from ui.api.schemas import BookingState


class PartnerClient(ApiClient):
    """A connection to the API at `url` with a partner's key. Every method raises ApiError."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 20) -> None:
        super().__init__(url, timeout_seconds=timeout_seconds)
        self._client.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> PartnerClient:
        return self

    def book_for_user(self, wish: PartnerBookingRequest, *, idempotency_key: str) -> PartnerBooking:
        """Book a workshop for a user; the same wish with the same key again is answered the same."""
        headers = {"Idempotency-Key": idempotency_key}
        return self._read(PartnerBooking, "POST", "partner/bookings", json=wish.model_dump(), headers=headers)

    def partner_bookings(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        state: BookingState | None = None,
        since: datetime | None = None,
    ) -> PartnerBookingPage:
        """Return a page of the key's bookings, newest first; `since` has a time zone."""
        asked = {"cursor": cursor, "limit": limit, "state": state, "since": since and since.isoformat()}
        return self._read(PartnerBookingPage, "GET", "partner/bookings", params=_given(asked))

    def all_partner_bookings(
        self, *, state: BookingState | None = None, since: datetime | None = None
    ) -> Iterator[PartnerBooking]:
        """Yield all of the key's bookings, newest first, asking for a page at a time."""
        cursor, is_more = None, True
        while is_more:
            page = self.partner_bookings(cursor=cursor, limit=100, state=state, since=since)
            yield from page.bookings
            cursor, is_more = page.next_cursor, page.next_cursor is not None

    def partner_booking(self, reference: str) -> PartnerBooking:
        """Return one of the key's bookings."""
        return self._read(PartnerBooking, "GET", _path("bookings", reference))

    def end_partner_booking(self, reference: str) -> PartnerBooking:
        """End one of the key's bookings; one that is over stays as it is."""
        return self._read(PartnerBooking, "DELETE", _path("bookings", reference))

    def add_webhook(self, wish: WebhookRequest) -> WebhookCreated:
        """Name an address that is told what happens; the answer alone holds the secret."""
        return self._read(WebhookCreated, "POST", "partner/webhooks", json=wish.model_dump())

    def webhooks(self) -> list[Webhook]:
        """Return the key's webhooks."""
        return self._read(WebhookList, "GET", "partner/webhooks").webhooks

    def webhook(self, reference: str) -> Webhook:
        """Return one of the key's webhooks."""
        return self._read(Webhook, "GET", _path("webhooks", reference))

    def change_webhook(self, reference: str, change: WebhookChange) -> Webhook:
        """Change a webhook's address or events, or switch it off or on."""
        return self._read(Webhook, "PATCH", _path("webhooks", reference), json=change.model_dump())

    def remove_webhook(self, reference: str) -> None:
        """Remove a webhook, with what waits for it."""
        self._send("DELETE", _path("webhooks", reference))

    def deliveries(self, reference: str, *, cursor: str | None = None, limit: int = 50) -> DeliveryPage:
        """Return a page of what a webhook was to be told, newest first."""
        asked = _given({"cursor": cursor, "limit": limit})
        return self._read(DeliveryPage, "GET", _path("webhooks", reference, "deliveries"), params=asked)

    def retry_delivery(self, reference: str, delivery: str) -> Delivery:
        """Have a message delivered now, whatever came of it until now."""
        return self._read(Delivery, "POST", _path("webhooks", reference, "deliveries", delivery, "retry"))


def _path(*parts: str) -> str:
    return "/".join(["partner", *(quote(part, safe="") for part in parts)])


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}

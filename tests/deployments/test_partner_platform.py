"""A partner on a whole platform: a key by the command, a booking, and what the real engine tells of it."""

from __future__ import annotations

import pytest
from eventually import eventually
from partner_samples import receiver

from deployments.rehearsal.own_platform import own_platform
from models.rules.booking import MailKind
from ui.api.partner_client import PartnerClient
from ui.api.partner_schemas import PartnerBookingRequest, WebhookRequest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WORKSHOP = "WKSHP-Python-First-Steps"
SCOPES = ("bookings:read", "bookings:write", "webhooks:write")


@pytest.fixture(scope="module")
def platform():
    with own_platform() as running:
        yield running


async def test_a_partner_hears_of_its_booking_from_the_first_to_the_last(platform):
    chosen = [part for scope in SCOPES for part in ("--scope", scope)]
    key = platform.wod("key", "add", "Acme", *chosen).strip().splitlines()[-1]
    with receiver() as told, PartnerClient(platform.api_url, key) as partner:
        events = ["booking.reserved", "booking.ready", "booking.ending", "booking.ended"]
        webhook = partner.add_webhook(WebhookRequest(url=told.url, events=events))
        told.answers = [503]
        wish = PartnerBookingRequest(
            workshop=WORKSHOP,
            email="partner@example.com",
            name="A Student",
            accept_terms=True,
            partner_user="u-4711",
            return_url="https://portal.example.org/",
        )
        booking = partner.book_for_user(wish, idempotency_key="one")
        await platform.mailbox.wait_for(MailKind.CREDENTIALS, "partner@example.com", 90)
        await eventually(
            lambda: "booking.ready" in {each.told["type"] for each in told.messages}, "it is told to be ready", 60
        )
        partner.end_partner_booking(booking.reference)
        await eventually(lambda: _delivered(partner, webhook.reference) == set(events), "all events are taken", 60)
        assert all(each.verified(webhook.secret) for each in told.messages)
        assert {each.told["data"]["reference"] for each in told.messages} == {booking.reference}
        assert {each.told["data"]["partner_user"] for each in told.messages} == {"u-4711"}
        assert {each.told["type"] for each in told.messages} == set(events)
        assert len(told.messages) == len(events) + 1, "the one that was refused has come again"
        assert partner.partner_booking(booking.reference).state == "ended"


def _delivered(partner: PartnerClient, webhook: str) -> set[str]:
    """Return the types of the events whose messages were taken."""
    return {each.event for each in partner.deliveries(webhook).deliveries if each.state == "delivered"}

"""Webhooks at a running API: made, changed, shown with what came of their messages."""

from __future__ import annotations

import pytest
from partner_samples import add_key, receiver

from models.rules.booking import BookingEvent
from models.rules.webhooks import WebhookEvent, webhook_secret
from models.store.figures import webhook_figures
from tasks.adapters.smtp import Mailer
from tasks.adapters.webhooks import WebhookSender
from tasks.partner_deliveries import deliver, next_delivery
from tasks.running_platform import Platform
from ui.api.client import ApiError
from ui.api.partner_client import PartnerClient
from ui.api.partner_schemas import PartnerBookingRequest, WebhookChange, WebhookMessage, WebhookRequest

pytestmark = pytest.mark.integration

URL = "https://portal.example.org/hook"


@pytest.fixture
async def partner(api, shop):
    await shop.offer()
    _, key = await add_key(shop.database)
    with PartnerClient(api.url, key) as opened:
        yield opened


@pytest.fixture
async def other(api, shop):
    _, key = await add_key(shop.database, "Other")
    with PartnerClient(api.url, key) as opened:
        yield opened


def book(partner, number=1):
    wish = PartnerBookingRequest(
        workshop="WKSHP-Test101", email=f"s{number}@example.org", name="Ana", accept_terms=True, partner_user="u-1"
    )
    return partner.book_for_user(wish, idempotency_key=str(number))


def refusal(call, *arguments):
    with pytest.raises(ApiError) as refused:
        call(*arguments)
    return refused.value.reason


async def figures(shop):
    async with shop.database.transaction() as session:
        return await webhook_figures(session)


async def test_a_webhook_from_its_first_day_to_its_last(partner, settings):
    made = partner.add_webhook(WebhookRequest(url=URL, events=["booking.ended", "booking.ready"]))
    assert made.secret == webhook_secret(settings.secret("link_key"), made.reference)
    assert (made.events, made.is_enabled) == (["booking.ready", "booking.ended"], True)
    shown = partner.webhook(made.reference)
    assert shown.model_dump() == made.model_dump(exclude={"secret"})
    assert partner.webhooks() == [shown]
    changed = partner.change_webhook(made.reference, WebhookChange(is_enabled=False))
    assert (changed.url, changed.is_enabled) == (URL, False)
    changed = partner.change_webhook(made.reference, WebhookChange(url=URL + "/2", events=["booking.failed"]))
    assert (changed.url, changed.events, changed.is_enabled) == (URL + "/2", ["booking.failed"], False)
    assert partner.change_webhook(made.reference, WebhookChange(is_enabled=True)).is_enabled
    partner.remove_webhook(made.reference)
    assert partner.webhooks() == []
    assert refusal(partner.webhook, made.reference) == "webhook_unknown"


async def test_messages_are_shown_with_what_came_of_them_and_sent_again(shop, partner, settings):
    platform = Platform(settings, shop.database, Mailer(settings), "engine")
    sender = WebhookSender(takes_loopback=True)
    with receiver() as told:
        made = partner.add_webhook(WebhookRequest(url=told.url, events=list(WebhookEvent)))
        booking = book(partner)
        (waiting,) = partner.deliveries(made.reference).deliveries
        assert (waiting.state, waiting.attempts, waiting.booking) == ("pending", 0, booking.reference)
        assert waiting.next_attempt_at is not None
        assert await figures(shop) == {("booking.reserved", waiting.state): 1}
        told.answers = [503]
        await deliver(platform, sender, await next_delivery(platform))
        (failed,) = partner.deliveries(made.reference).deliveries
        assert (failed.state, failed.status, failed.failure) == ("pending", 503, "The address answered 503.")
        assert partner.retry_delivery(made.reference, failed.reference).state == "pending"
        await deliver(platform, sender, await next_delivery(platform))
        (taken,) = partner.deliveries(made.reference).deliveries
        assert (taken.state, taken.status, taken.attempts, taken.failure) == ("delivered", 204, 2, "")
        assert taken.next_attempt_at is None
        assert await figures(shop) == {("booking.reserved", taken.state): 1}
        partner.retry_delivery(made.reference, taken.reference)
        await deliver(platform, sender, await next_delivery(platform))
        assert [each.headers["webhook-id"] for each in told.messages] == [taken.reference] * 3
        assert all(each.verified(made.secret) for each in told.messages)
        message = WebhookMessage.model_validate_json(told.messages[0].body)
        assert (message.type, message.data.partner_user) == ("booking.reserved", "u-1")
    await sender.close()


async def test_messages_come_in_pages(shop, partner):
    made = partner.add_webhook(WebhookRequest(url=URL, events=list(WebhookEvent)))
    reference = book(partner).reference
    await shop.serve(reference)
    await shop.move(reference, BookingEvent.LEAVE)
    await shop.move(reference, BookingEvent.RELEASE)
    first = partner.deliveries(made.reference, limit=3)
    assert [each.event for each in first.deliveries] == ["booking.ended", "booking.ending", "booking.ready"]
    rest = partner.deliveries(made.reference, limit=3, cursor=first.next_cursor)
    assert [each.event for each in rest.deliveries] == ["booking.reserved"]
    assert rest.next_cursor is None


async def test_a_webhook_that_goes_takes_its_messages_along(shop, partner):
    made = partner.add_webhook(WebhookRequest(url=URL, events=list(WebhookEvent)))
    book(partner)
    partner.remove_webhook(made.reference)
    assert await shop.rows("SELECT count(*) FROM webhook_delivery") == [(0,)]


async def test_nobody_reaches_the_webhooks_of_others(partner, other):
    made = partner.add_webhook(WebhookRequest(url=URL, events=["booking.reserved"]))
    book(partner)
    (delivery,) = partner.deliveries(made.reference).deliveries
    assert other.webhooks() == []
    for call, *arguments in (
        (other.webhook,),
        (other.change_webhook, WebhookChange(is_enabled=False)),
        (other.remove_webhook,),
        (other.deliveries,),
        (other.retry_delivery, delivery.reference),
    ):
        assert refusal(call, made.reference, *arguments) == "webhook_unknown"
    own = other.add_webhook(WebhookRequest(url=URL, events=["booking.reserved"]))
    assert refusal(other.retry_delivery, own.reference, delivery.reference) == "delivery_unknown"
    with pytest.raises(ApiError) as refused:
        other.deliveries(own.reference, cursor=delivery.reference)
    assert refused.value.reason == "cursor_unknown"
    assert partner.webhook(made.reference).is_enabled


async def test_a_key_has_ten_webhooks(partner):
    wish = WebhookRequest(url=URL, events=["booking.reserved"])
    made = [partner.add_webhook(wish).reference for _ in range(10)]
    assert [each.reference for each in partner.webhooks()] == made
    assert refusal(partner.add_webhook, wish) == "too_many_webhooks"


@pytest.mark.parametrize(
    "url", ["http://portal.example.org/", "https://10.0.0.1/", "ftp://x", "https://a:b@c.org/"]
)
async def test_addresses_that_are_not_posted_to(partner, url):
    wish = WebhookRequest(url=url, events=["booking.reserved"])
    assert refusal(partner.add_webhook, wish) == "input_wrong"
    made = partner.add_webhook(WebhookRequest(url=URL, events=["booking.reserved"]))
    assert refusal(partner.change_webhook, made.reference, WebhookChange(url=url)) == "input_wrong"
    assert partner.webhook(made.reference).url == URL

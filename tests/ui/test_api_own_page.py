"""A student's own page, as programs see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.rules.booking import BookingEvent
from models.rules.signed_links import sign_link
from models.tables import utc_now
from ui.api.client import ApiError
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

KEY = "WKSHP-Test101"


def booking(name: str, key: str = KEY) -> BookingRequest:
    return BookingRequest(workshop=key, email=f"{name}@example.org", name=name.title(), accept_terms=True)


def link_of(shop, reference, at=None):
    return sign_link(shop.settings.secret("link_key"), reference, at or utc_now())


async def finish(shop, reference, executed=3, total=4):
    await shop.move(reference, BookingEvent.LEAVE)
    await shop.rows(
        "UPDATE booking SET cells_executed = :executed, cells_total = :total WHERE reference = :reference",
        executed=executed,
        total=total,
        reference=reference,
    )
    await shop.move(reference, BookingEvent.RELEASE, finished_at=utc_now())


async def test_the_page_shows_all_of_an_address(shop, client):
    await shop.offer()
    past = client.book(booking("ana")).reference
    await shop.serve(past)
    await finish(shop, past)
    now = client.book(booking("ana")).reference
    await shop.serve(now)
    page = client.own_page(link_of(shop, past))
    assert (page.name, page.email) == ("Ana", "ana@example.org")
    assert page.booking
    assert page.booking.reference == now
    assert [each.reference for each in page.history] == [past]
    assert page.extension
    assert page.extension.is_possible
    (badge,) = page.badges
    assert (badge.kind, badge.title) == ("workshop", "Title of WKSHP-Test101")
    proof = client.badge(badge.code)
    assert (proof.holder, proof.workshop) == ("Ana", KEY)
    (kind,) = [each for each in client.badges() if each.workshop == KEY]
    assert kind.holders == 1


async def test_a_session_is_made_longer_and_ended(shop, client):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    link = link_of(shop, reference)
    with pytest.raises(ApiError) as refused:
        client.extend_session(link)
    assert refused.value.reason == "extension_refused"
    await shop.serve(reference)
    before = client.own_page(link).booking.ends_at
    after = client.extend_session(link)
    assert after.booking.ends_at - before == timedelta(hours=1)
    assert after.extension.left == 1
    assert client.end_session(link).booking.state == "ending"


async def test_a_student_is_forgotten(shop, client):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    await shop.serve(reference)
    await finish(shop, reference)
    link = link_of(shop, reference)
    code = client.own_page(link).badges[0].code
    assert client.forget(link).is_complete
    with pytest.raises(ApiError) as refused:
        client.own_page(link)
    assert refused.value.reason == "link_unknown"
    with pytest.raises(ApiError) as refused:
        client.badge(code)
    assert refused.value.reason == "badge_withdrawn"
    assert client.badges()[-1].holders == 1

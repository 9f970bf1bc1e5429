"""A student's own page, as programs see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.rules.signed_links import sign_link
from models.tables import utc_now
from ui.api.client import ApiError
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

KEY = "WKSHP-Test101"


def booking(name: str, key: str = KEY) -> BookingRequest:
    return BookingRequest(workshop=key, email=f"{name}@example.org", name=name.title(), accept_terms=True)


async def test_the_page_shows_all_of_an_address(shop, client):
    await shop.offer()
    past = client.book(booking("ana")).reference
    await shop.serve(past)
    await shop.finish(past)
    now = client.book(booking("ana")).reference
    await shop.serve(now)
    page = client.own_page(shop.link(past))
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
    link = shop.link(reference)
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
    await shop.finish(reference)
    link = shop.link(reference)
    code = client.own_page(link).badges[0].code
    assert client.forget(link).is_complete
    with pytest.raises(ApiError) as refused:
        client.own_page(link)
    assert refused.value.reason == "link_unknown"
    with pytest.raises(ApiError) as refused:
        client.badge(code)
    assert refused.value.reason == "badge_withdrawn"
    assert client.badges()[-1].holders == 1


async def test_links_that_open_nothing(shop, client):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    link = shop.link(reference)
    wrong = {
        "link_unknown": [
            reference,
            link[:-1],
            "x" * 2000,
            "\u00e9",
            sign_link("another key", reference, utc_now()),
            shop.link("A" * 24),
        ],
        "link_expired": [shop.link(reference, utc_now() - timedelta(days=91))],
    }
    for reason, links in wrong.items():
        for each in links:
            for ask in (client.own_page, client.extend_session, client.end_session, client.forget):
                with pytest.raises(ApiError) as refused:
                    ask(each)
                assert refused.value.reason == reason
    assert client.booking(reference).state == "reserved"


async def test_a_reference_shows_its_own_booking_alone(shop, client, web):
    await shop.offer()
    past = client.book(booking("ana")).reference
    await shop.serve(past)
    await shop.finish(past)
    reference = client.book(booking("ana")).reference
    assert past not in (await web.get(f"/api/v1/bookings/{reference}")).text
    with pytest.raises(ApiError):
        client.own_page(reference)


async def test_a_link_to_a_place_in_a_line_opens_the_page_too(shop, client):
    await shop.offer(capacity=1)
    client.book(booking("ana"))
    place = client.wait(KEY, WaitingRequest(email="bo@example.org", name="Bo", accept_terms=True))
    page = client.own_page(shop.link(place.reference))
    assert (page.name, page.booking, page.history, page.badges) == ("Bo", None, [], [])
    assert [each.reference for each in page.waiting] == [place.reference]
    client.leave_line(place.reference)
    assert client.own_page(shop.link(place.reference)).waiting == []


async def test_a_session_is_not_longer_while_somebody_waits(shop, client):
    await shop.offer(capacity=1)
    reference = client.book(booking("ana")).reference
    await shop.serve(reference)
    link = shop.link(reference)
    place = client.wait(KEY, WaitingRequest(email="bo@example.org", name="Bo", accept_terms=True))
    extension = client.own_page(link).extension
    assert extension is not None
    assert not extension.is_possible
    with pytest.raises(ApiError) as refused:
        client.extend_session(link)
    assert (refused.value.reason, refused.value.message) == ("extension_refused", extension.obstacle)
    client.leave_line(place.reference)
    assert client.extend_session(link).extension.left == 1
    assert client.extend_session(link).extension.left == 0
    with pytest.raises(ApiError) as refused:
        client.extend_session(link)
    assert "2 times already" in refused.value.message


async def test_looking_has_the_session_measured_and_shows_what_was_found(shop, client):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    link = shop.link(reference)
    client.own_page(link)
    assert await shop.rows("SELECT measure_wanted_at FROM booking") == [(None,)]
    await shop.serve(reference)
    assert client.own_page(link).progress is None
    [(wanted,)] = await shop.rows("SELECT measure_wanted_at FROM booking")
    client.own_page(link)
    assert await shop.rows("SELECT measure_wanted_at FROM booking") == [(wanted,)]
    await shop.rows("UPDATE booking SET cells_executed = 3, cells_total = 8, measured_at = now()")
    page = client.own_page(link)
    assert page.progress is not None
    assert (page.progress.cells_executed, page.progress.percent) == (3, 37)
    assert page.booking is not None
    assert page.booking.completion is None


async def test_forgetting_ends_the_session_under_way(shop, client, web):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    await shop.serve(reference)
    link = shop.link(reference)
    forgotten = client.forget(link)
    assert not forgotten.is_complete
    status = client.booking(reference)
    assert (status.state, status.email_hint) == ("ending", "")
    with pytest.raises(ApiError) as refused:
        client.forget(link)
    assert refused.value.reason == "link_unknown"
    assert client.book(booking("ana")).state == "reserved"


@pytest.mark.parametrize("code", ["x", "A" * 24, "MTI.Xk2aB9", "x" * 2000, "\u00e9"])
async def test_codes_that_prove_nothing(shop, client, code):
    with pytest.raises(ApiError) as refused:
        client.badge(code)
    assert refused.value.reason == "badge_unknown"


async def test_the_wall_of_badges(shop, client):
    await shop.offer(badge_image="https://example.org/badge.png")
    await shop.offer("WKSHP-Off", active=False)
    badges = client.badges()
    assert [each.title for each in badges if each.kind == "special"] == [
        "Apprentice",
        "Expert",
        "Hero",
        "Super Hero",
        "Legend",
    ]
    (workshop,) = [each for each in badges if each.kind == "workshop"]
    assert (workshop.workshop, workshop.image, workshop.holders) == (KEY, "https://example.org/badge.png", 0)


async def test_a_badge_that_was_not_earned_is_not_shown(shop, client):
    await shop.offer()
    reference = client.book(booking("ana")).reference
    await shop.serve(reference)
    await shop.finish(reference, executed=0)
    assert client.own_page(shop.link(reference)).badges == []

"""Partners' programs at a running API: keys, bookings for users, idempotency, pages."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import partner_samples
import pytest

from models.rules.booking import BookingEvent
from models.rules.scopes import KEY_PREFIX, Scope
from models.store.partners import forget_answers, revoke_key
from models.tables import utc_now
from ui.api.client import ApiError
from ui.api.partner_client import PartnerClient
from ui.api.partner_schemas import PartnerBookingRequest
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

WISH = {
    "workshop": "WKSHP-Test101",
    "email": "ana@example.org",
    "name": "Ana Example",
    "accept_terms": True,
    "partner_user": "u-1",
    "return_url": "https://portal.example.org/back",
}


async def add_key(shop, name="Acme", *, rate="600/minute", bookings=20, **values):
    _, key = await partner_samples.add_key(
        shop.database, name, request_rate=rate, bookings_at_once=bookings, **values
    )
    return key


def bearer(key, **more):
    return {"Authorization": f"Bearer {key}"} | more


def wish(number=1, **values):
    return PartnerBookingRequest(**(WISH | {"email": f"student{number}@example.org"} | values))


@pytest.fixture
async def key(shop):
    await shop.offer()
    return await add_key(shop)


@pytest.fixture
def partner(api, key):
    with PartnerClient(api.url, key) as opened:
        yield opened


async def test_a_partner_books_for_a_user_who_can_come_back(shop, partner, client):
    booking = partner.book_for_user(wish(), idempotency_key="one")
    assert (booking.state, booking.partner_user, booking.return_url) == ("reserved", "u-1", WISH["return_url"])
    assert client.booking(booking.reference).return_url == WISH["return_url"]
    await shop.serve(booking.reference)
    assert partner.partner_booking(booking.reference).state == "ready"
    ended = partner.end_partner_booking(booking.reference)
    assert ended.state == "ending"
    assert partner.end_partner_booking(booking.reference) == ended
    assert await shop.rows("SELECT kind FROM mail ORDER BY id LIMIT 1") == [("welcome",)]


async def test_a_booking_of_nobodys_leads_nowhere(shop, client):
    await shop.offer()
    fields = {name: WISH[name] for name in ("workshop", "email", "name", "accept_terms")}
    assert client.booking(client.book(BookingRequest(**fields)).reference).return_url == ""


async def test_the_same_wish_again_is_answered_the_same(shop, web, key):
    headers = bearer(key, **{"Idempotency-Key": "one"})
    first = await web.post("/api/v1/partner/bookings", json=WISH, headers=headers)
    await shop.serve(first.json()["reference"])
    again = await web.post("/api/v1/partner/bookings", json=WISH, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert await shop.rows("SELECT count(*) FROM booking") == [(1,)]
    other = await web.post("/api/v1/partner/bookings", json=WISH | {"name": "Ben"}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")


async def test_twins_make_one_booking(shop, web, key):
    headers = bearer(key, **{"Idempotency-Key": "twins"})
    answers = await asyncio.gather(
        *(web.post("/api/v1/partner/bookings", json=WISH, headers=headers) for _ in range(10))
    )
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["reference"] for each in answers}) == 1
    assert sum("idempotency-replayed" in each.headers for each in answers) == 9
    assert await shop.rows("SELECT count(*) FROM booking") == [(1,)]


async def test_a_refusal_is_not_remembered(shop, partner):
    await shop.rows("UPDATE workshop SET active = false")
    with pytest.raises(ApiError) as refused:
        partner.book_for_user(wish(), idempotency_key="one")
    assert refused.value.reason == "workshop_inactive"
    await shop.rows("UPDATE workshop SET active = true")
    assert partner.book_for_user(wish(), idempotency_key="one").state == "reserved"


async def test_two_partners_may_use_the_same_idempotency_key(shop, api, partner):
    with PartnerClient(api.url, await add_key(shop, "Other")) as other:
        first = partner.book_for_user(wish(1), idempotency_key="one")
        second = other.book_for_user(wish(2), idempotency_key="one")
    assert first.reference != second.reference


async def test_answers_are_forgotten_in_the_end(shop, partner):
    partner.book_for_user(wish(), idempotency_key="one")
    async with shop.database.transaction() as session:
        await forget_answers(session, utc_now() + timedelta(hours=47))
    assert await shop.rows("SELECT count(*) FROM remembered_answer") == [(1,)]
    async with shop.database.transaction() as session:
        await forget_answers(session, utc_now() + timedelta(hours=49))
    assert await shop.rows("SELECT count(*) FROM remembered_answer") == [(0,)]


async def test_a_key_has_so_many_bookings_at_once(shop, api):
    await shop.offer()
    with PartnerClient(api.url, await add_key(shop, bookings=2)) as partner:
        first = partner.book_for_user(wish(1), idempotency_key="1")
        partner.book_for_user(wish(2), idempotency_key="2")
        with pytest.raises(ApiError) as refused:
            partner.book_for_user(wish(3), idempotency_key="3")
        assert refused.value.reason == "too_many_bookings"
        partner.end_partner_booking(first.reference)
        await shop.move(first.reference, BookingEvent.RELEASE)
        assert partner.book_for_user(wish(3), idempotency_key="3").state == "reserved"


async def test_bookings_come_in_pages(shop, partner):
    for number in range(5):
        partner.book_for_user(wish(number), idempotency_key=str(number))
    page = partner.partner_bookings(limit=2)
    assert [each.partner_user for each in page.bookings] == ["u-1"] * 2
    first = [each.reference for each in page.bookings]
    second = [each.reference for each in partner.partner_bookings(limit=2, cursor=page.next_cursor).bookings]
    everything = [each.reference for each in partner.all_partner_bookings()]
    assert everything[:4] == first + second
    assert len(everything) == 5
    assert partner.partner_bookings(limit=5).next_cursor is None
    await shop.serve(everything[0])
    assert [each.reference for each in partner.partner_bookings(state="ready").bookings] == everything[:1]
    assert partner.partner_bookings(since=utc_now()).bookings == []
    assert len(partner.partner_bookings(since=utc_now() - timedelta(hours=1)).bookings) == 5


async def test_pages_keep_their_place_while_bookings_are_added(partner):
    for number in range(4):
        partner.book_for_user(wish(number), idempotency_key=str(number))
    page = partner.partner_bookings(limit=2)
    partner.book_for_user(wish(5), idempotency_key="5")
    rest = partner.partner_bookings(cursor=page.next_cursor)
    assert not {each.reference for each in rest.bookings} & {each.reference for each in page.bookings}
    assert len(rest.bookings) == 2


async def test_a_partner_sees_no_booking_but_its_own(shop, api, partner, client):
    mine = partner.book_for_user(wish(1), idempotency_key="1").reference
    with PartnerClient(api.url, await add_key(shop, "Other")) as other:
        assert other.partner_bookings().bookings == []
        for call in (other.partner_booking, other.end_partner_booking):
            with pytest.raises(ApiError) as refused:
                call(mine)
            assert refused.value.reason == "booking_unknown"
        with pytest.raises(ApiError) as refused:
            other.partner_bookings(cursor=mine)
        assert refused.value.reason == "cursor_unknown"
    assert client.booking(mine).state == "reserved"


@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer x", "Basic eDp5", f"Bearer wod_{'x' * 43}"])
async def test_nobody_gets_in_without_a_key(shop, web, sent):
    headers = {"Authorization": sent} if sent else {}
    answer = await web.get("/api/v1/partner/bookings", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (401, "key_unknown")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_is_none(shop, web, key):
    assert (await web.get("/api/v1/partner/bookings", headers=bearer(key))).status_code == 200
    async with shop.database.transaction() as session:
        await revoke_key(session, "Acme", utc_now())
    assert (await web.get("/api/v1/partner/bookings", headers=bearer(key))).status_code == 401


async def test_only_the_digest_of_a_key_is_kept(shop, key):
    (row,) = await shop.rows("SELECT row_to_json(api_key)::text FROM api_key")
    assert key not in row[0]
    assert key.removeprefix(KEY_PREFIX) not in row[0]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "bookings", Scope.BOOKINGS_READ),
        ("GET", "bookings/xxxxxxxxxxxxxxxxxxxx", Scope.BOOKINGS_READ),
        ("POST", "bookings", Scope.BOOKINGS_WRITE),
        ("DELETE", "bookings/xxxxxxxxxxxxxxxxxxxx", Scope.BOOKINGS_WRITE),
        ("GET", "webhooks", Scope.WEBHOOKS_WRITE),
        ("POST", "webhooks", Scope.WEBHOOKS_WRITE),
        ("GET", "webhooks/xxxxxxxxxxxxxxxxxxxx", Scope.WEBHOOKS_WRITE),
        ("PATCH", "webhooks/xxxxxxxxxxxxxxxxxxxx", Scope.WEBHOOKS_WRITE),
        ("DELETE", "webhooks/xxxxxxxxxxxxxxxxxxxx", Scope.WEBHOOKS_WRITE),
        ("GET", "webhooks/xxxxxxxxxxxxxxxxxxxx/deliveries", Scope.WEBHOOKS_WRITE),
        ("POST", "webhooks/xxxxxxxxxxxxxxxxxxxx/deliveries/xxxxxxxxxxxxxxxxxxxx/retry", Scope.WEBHOOKS_WRITE),
    ],
)
async def test_a_key_is_for_what_its_scopes_say(shop, web, method, path, scope):
    others = [each for each in Scope if each is not scope]
    narrow, wide = await add_key(shop, "narrow", scopes=others), await add_key(shop, "wide", scopes=[scope])
    refused = await web.request(method, f"/api/v1/partner/{path}", headers=bearer(narrow), json={})
    assert (refused.status_code, refused.json()["reason"]) == (403, "scope_missing")
    assert scope in refused.json()["message"]
    granted = await web.request(method, f"/api/v1/partner/{path}", headers=bearer(wide), json={})
    assert granted.status_code in (200, 404, 422)


async def test_a_key_asks_only_so_often(shop, web):
    key, other = await add_key(shop, rate="3/minute"), await add_key(shop, "Other", rate="3/minute")
    answers = [await web.get("/api/v1/partner/bookings", headers=bearer(key)) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [each.headers["ratelimit"].partition(";t=")[0] for each in answers] == [
        '"key";r=2',
        '"key";r=1',
        '"key";r=0',
        '"key";r=0',
    ]
    assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    assert answers[3].json()["reason"] == "too_many_requests"
    assert (await web.get("/api/v1/partner/bookings", headers=bearer(other))).status_code == 200


async def test_everything_wrong_with_a_wish_is_told_at_once(web, key):
    wrong = WISH | {
        "email": "x",
        "name": "",
        "return_url": "http://x",
        "partner_user": "a\nb",
        "accept_terms": False,
    }
    answer = await web.post("/api/v1/partner/bookings", json=wrong, headers=bearer(key))
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["fields"]} == {
        "email",
        "name",
        "return_url",
        "partner_user",
        "accept_terms",
    }


@pytest.mark.parametrize("sent", ["", "a b", "x" * 256])
async def test_an_idempotency_key_is_one_word(web, key, sent):
    answer = await web.post(
        "/api/v1/partner/bookings", json=WISH, headers=bearer(key, **{"Idempotency-Key": sent})
    )
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["fields"]] == ["Idempotency-Key"]


async def test_a_key_that_is_used_says_so(shop, web, key):
    await web.get("/api/v1/partner/bookings", headers=bearer(key))
    (first,) = await shop.rows("SELECT last_used_at FROM api_key")
    assert first[0] is not None
    await web.get("/api/v1/partner/bookings", headers=bearer(key))
    assert await shop.rows("SELECT last_used_at FROM api_key") == [first]

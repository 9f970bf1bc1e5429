"""Lines for full workshops, as programs see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ui_services import api_command, api_environment, free_port, serve_process

from models.rules.booking import BookingEvent
from models.store.seat_offers import offer_seat
from models.tables import utc_now
from ui.api.client import ApiClient, ApiError
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

KEY = "WKSHP-Test101"


def booking(name: str, key: str = KEY) -> BookingRequest:
    return BookingRequest(workshop=key, email=f"{name}@example.org", name=name.title(), accept_terms=True)


def wish(name: str) -> WaitingRequest:
    return WaitingRequest(email=f"{name}@example.org", name=name.title(), accept_terms=True)


async def release(shop, reference):
    await shop.move(reference, BookingEvent.LEAVE)
    await shop.move(reference, BookingEvent.RELEASE, finished_at=utc_now())


async def offer_next(shop, hours=1.0):
    async with shop.database.transaction() as session:
        return await offer_seat(session, 1, utc_now(), utc_now() + timedelta(hours=hours))


async def test_from_a_full_workshop_to_its_next_free_seat(shop, client):
    await shop.offer(capacity=1)
    first = client.book(booking("ana"))
    place = client.wait(KEY, wish("bo"))
    assert (place.state, place.position, place.booking) == ("waiting", 1, "")
    assert client.wait(KEY, wish("cy")).position == 2
    with pytest.raises(ApiError) as refused:
        client.take_offer(place.reference)
    assert refused.value.reason == "offer_missing"
    await release(shop, first.reference)
    with pytest.raises(ApiError) as refused:
        client.book(booking("eve"))
    assert refused.value.reason == "workshop_full"
    await offer_next(shop)
    offered = client.waiting(place.reference)
    assert (offered.state, offered.position) == ("offered", None)
    taken = client.take_offer(place.reference)
    assert taken.workshop == KEY
    assert client.take_offer(place.reference) == taken
    assert client.waiting(place.reference).booking == taken.reference


async def test_the_catalog_tells_of_the_line(shop, client):
    await shop.offer(capacity=1)
    first = client.book(booking("ana"))
    await shop.serve(first.reference)
    ends_at = client.booking(first.reference).ends_at
    before = client.workshop(KEY)
    assert (before.free_seats, before.waiting, before.can_wait, before.next_free_at) == (0, 0, True, ends_at)
    place = client.wait(KEY, wish("bo"))
    assert place.next_free_at == ends_at
    (after,) = client.workshops()
    assert (after.free_seats, after.waiting) == (0, 1)
    await release(shop, first.reference)
    assert client.workshop(KEY).free_seats == 0
    await offer_next(shop)
    offered = client.workshop(KEY)
    assert (offered.free_seats, offered.waiting) == (0, 0)
    assert offered.next_free_at == client.waiting(place.reference).offer_until
    client.leave_line(place.reference)
    assert client.workshop(KEY).free_seats == 1


@pytest.mark.parametrize("limit", [0, 1])
async def test_a_line_that_takes_nobody_is_not_offered(api, shop, tmp_path, limit):
    environment = {name: value for name, value in api_environment(api).items() if name.startswith("WOD_")}
    environment["WOD_WAITING_LIMIT"] = str(limit)
    await shop.offer(capacity=1)
    with (
        serve_process(api_command(), free_port(), environment, tmp_path / "api.log", "/api/health") as limited,
        ApiClient(limited.url) as client,
    ):
        client.book(booking("ana"))
        for number in range(limit):
            assert client.workshop(KEY).can_wait
            client.wait(KEY, wish(f"bo{number}"))
        assert not client.workshop(KEY).can_wait
        assert [each.can_wait for each in client.workshops()] == [False]
        with pytest.raises(ApiError) as refused:
            client.wait(KEY, wish("eve"))
        assert refused.value.reason == "line_full"
        with pytest.raises(ApiError) as refused:
            client.book(booking("eve"))
        assert refused.value.reason == "workshop_full"
        assert "line" not in refused.value.message


async def test_why_one_can_not_wait(shop, client):
    await shop.offer(capacity=1)
    await shop.offer("WKSHP-Off", active=False)
    reasons = {}

    def try_to_wait(name, key=KEY):
        with pytest.raises(ApiError) as refused:
            client.wait(key, wish(name))
        reasons[refused.value.reason] = refused.value
        return refused.value.reason

    assert try_to_wait("ana") == "seats_free"
    client.book(booking("ana"))
    assert try_to_wait("ana") == "already_booked"
    client.wait(KEY, wish("bo"))
    assert try_to_wait("bo") == "already_waiting"
    assert try_to_wait("cy", "WKSHP-None") == "workshop_unknown"
    assert try_to_wait("cy", "WKSHP-Off") == "workshop_inactive"
    assert try_to_wait("cy", "WKSHP-\0") == "workshop_unknown"
    for refusal in reasons.values():
        assert "ana@" not in refusal.message


async def test_all_that_is_wrong_with_a_wish_is_told_at_once(shop, web):
    await shop.offer(capacity=1)
    answer = await web.post(
        f"/api/v1/workshops/{KEY}/waiting", json={"email": "nobody", "name": " ", "accept_terms": False, "x": 1}
    )
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["fields"]} == {"email", "name", "accept_terms", "x"}
    assert await shop.rows("SELECT count(*) FROM waiting_entry") == [(0,)]


@pytest.mark.parametrize("reference", ["A" * 24, "x", "..", "a b", "%00", "\u00e9" * 20])
async def test_places_that_are_not_there(shop, client, reference):
    for ask in (client.waiting, client.leave_line, client.take_offer):
        with pytest.raises(ApiError) as refused:
            ask(reference)
        assert refused.value.reason in ("place_unknown", "not_found")


async def test_a_place_tells_no_address(shop, client, web):
    await shop.offer(capacity=1)
    client.book(booking("ana"))
    place = client.wait(KEY, wish("bo"))
    answer = await web.get(f"/api/v1/waiting/{place.reference}")
    assert "bo@example.org" not in answer.text
    assert answer.json()["email_hint"] == "b…@example.org"


async def test_an_offer_is_not_taken_late_and_stays_while_another_booking_runs(shop, client):
    await shop.offer(capacity=1)
    await shop.offer("WKSHP-Other", seat_first=30, seat_last=35)
    first = client.book(booking("ana"))
    other = client.book(booking("bo", "WKSHP-Other"))
    place = client.wait(KEY, wish("bo"))
    await release(shop, first.reference)
    await offer_next(shop)
    with pytest.raises(ApiError) as refused:
        client.take_offer(place.reference)
    assert refused.value.reason == "already_booked"
    assert client.waiting(place.reference).state == "offered"
    await release(shop, other.reference)
    await shop.rows("UPDATE waiting_entry SET offer_until = now() - interval '1 second'")
    with pytest.raises(ApiError) as refused:
        client.take_offer(place.reference)
    assert refused.value.reason == "offer_expired"
    left = client.leave_line(place.reference)
    assert (left.state, left.poll_seconds) == ("left", None)
    assert client.leave_line(place.reference) == left

"""Lines for full workshops, as programs see them."""

from __future__ import annotations

import pytest

from models.rules.booking import BookingEvent
from models.store.waiting import offer_seat
from models.tables import utc_now
from ui.api.client import ApiError
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
    from datetime import timedelta

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

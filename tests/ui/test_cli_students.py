"""wod student: forgetting somebody who asked an operator for it."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from models.tables import Booking
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration


async def addresses(shop):
    async with shop.database.transaction() as session:
        return list(await session.scalars(select(col(Booking.email)).order_by(col(Booking.id))))


async def test_a_student_is_forgotten_once_the_operator_has_said_yes(wod, shop, client):
    await shop.offer("WKSHP-A")
    for name in ("ana", "ben"):
        client.book(BookingRequest(workshop="WKSHP-A", email=f"{name}@example.org", name=name, accept_terms=True))
    refused = wod("student", "forget", "ana@example.org", stdin="n\n")
    assert refused.returncode == 1
    assert await addresses(shop) == ["ana@example.org", "ben@example.org"]
    done = wod("student", "forget", "Ana@Example.org", stdin="y\n")
    assert "session under way is being ended" in done.stdout, done.stderr
    assert await addresses(shop) == ["", "ben@example.org"]
    assert "Nothing is known of ana@example.org" in wod("student", "forget", "ana@example.org", "--yes").stderr


@pytest.mark.parametrize("address", ["ana", "@example.org", "zoe@example.org"])
async def test_who_is_not_there_changes_nothing(wod, shop, client, address):
    await shop.offer("WKSHP-A")
    client.book(BookingRequest(workshop="WKSHP-A", email="ana@example.org", name="Ana", accept_terms=True))
    done = wod("student", "forget", address, "--yes")
    assert done.returncode == 1
    assert done.stderr.strip()
    assert await addresses(shop) == ["ana@example.org"]

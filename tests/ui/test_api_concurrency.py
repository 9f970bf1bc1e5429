"""Many students at the same moment, against a running API and a real database."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

pytestmark = pytest.mark.integration

HELD_TWICE = """
    SELECT seat_id FROM booking WHERE state NOT IN ('ended', 'failed') GROUP BY seat_id HAVING count(*) > 1
"""


async def book_all(url: str, wishes: list[tuple[str, str]]) -> list[httpx.Response]:
    """POST a booking for each (workshop, e-mail), all at once."""
    limits = httpx.Limits(max_connections=len(wishes))
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        bodies = [
            {"workshop": workshop, "email": email, "name": "Ana", "accept_terms": True}
            for workshop, email in wishes
        ]
        return await asyncio.gather(*[client.post("/api/v1/bookings", json=body) for body in bodies])


async def test_sixty_on_twenty_seats(shop, api):
    await shop.offer(capacity=20, seat_first=1, seat_last=30)
    answers = await book_all(api.url, [("WKSHP-Test101", f"s{n}@example.org") for n in range(60)])
    assert Counter(answer.status_code for answer in answers) == {201: 20, 409: 40}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["reason"] == "workshop_full"
            assert answer.json()["retry_at"]
            assert int(answer.headers["retry-after"]) > 0
    assert len({answer.json()["reference"] for answer in answers if answer.status_code == 201}) == 20
    assert await shop.rows("SELECT count(*), count(DISTINCT seat_id) FROM booking") == [(20, 20)]
    assert await shop.rows("SELECT count(*) FROM mail") == [(20,)]


async def test_one_address_ten_times(shop, api):
    await shop.offer()
    await shop.offer("WKSHP-Other", seat_first=21, seat_last=40)
    wishes = [(key, "ana@example.org") for key in ("WKSHP-Test101", "WKSHP-Other") for _ in range(5)]
    answers = await book_all(api.url, wishes)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 409} == {"already_booked"}


async def test_workshops_that_share_seats(shop, api, web):
    await shop.offer("WKSHP-Low", seat_first=1, seat_last=20)
    await shop.offer("WKSHP-High", seat_first=11, seat_last=30)
    wishes = [(f"WKSHP-{('Low', 'High')[n % 2]}", f"s{n}@example.org") for n in range(60)]
    answers = await book_all(api.url, wishes)
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {201, 409}
    # Which of the shared seats each workshop gets is chance; nothing may be refused while a seat is free.
    [(booked,)] = await shop.rows("SELECT count(*) FROM booking")
    assert counts[201] == booked
    assert await shop.rows(HELD_TWICE) == []
    free = {workshop["key"]: workshop["free_seats"] for workshop in (await web.get("/api/v1/workshops")).json()}
    assert set(free.values()) == {0}

"""Who can use the catalog: everybody, with or without a mouse, and among 500 workshops."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from ui_browser import PHONE, WIDE, OpenPage, hardships, photograph, tab_to
from ui_services import Process, Shop

from ui.api.client import ApiClient
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

README = """\
## What you will do

![A picture](https://pictures.test/none.png)

1. Write **code** with `print()`
2. Read [on](https://example.org)

| part | minutes |
|---|---|
| 1 | 15 |
"""


def wish(name: str, key: str) -> BookingRequest:
    return BookingRequest(workshop=key, email=f"{name}@example.org", name=name.title(), accept_terms=True)


async def addresses(shop: Shop, client: ApiClient) -> dict[str, str]:
    """Return a page of each kind, with something on it."""
    await shop.offer(title="Python, first steps", readme=README.replace("https://pictures.test/none.png", "x"))
    await shop.offer("WKSHP-Full", title="Docker 101", capacity=1, replay_link="https://youtu.be/dQw4w9WgXcQ")
    await shop.offer("CHLG-Quiz", title="The quiz", session_type="Coding Challenge", duration_hours=1, priority=2)
    past = client.book(wish("ana", "WKSHP-Test101")).reference
    await shop.serve(past)
    await shop.finish(past)
    now = client.book(wish("ana", "WKSHP-Full")).reference
    await shop.serve(now)
    place = client.wait("WKSHP-Full", WaitingRequest(email="bo@example.org", name="Bo", accept_terms=True))
    link = shop.link(now)
    return {
        "list": "/",
        "workshop": "/workshop?workshop=WKSHP-Test101",
        "full": "/workshop?workshop=WKSHP-Full",
        "booking": f"/booking?booking={now}",
        "session": f"/session?link={link}",
        "waiting": f"/waiting?place={place.reference}",
        "badges": "/badges",
        "badge": f"/badge?code={client.own_page(link).badges[0].code}",
        "replays": "/replays",
        "terms": "/terms",
    }


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (PHONE, "dark"), (PHONE, "light"), (WIDE, "dark")])
async def test_every_page_can_be_used_by_everybody(
    visit: OpenPage, shop: Shop, client: ApiClient, screenshots: Path, width: int, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    for name, path in (await addresses(shop, client)).items():
        page = await visit(path, width, scheme)
        await photograph(page, screenshots, f"page-{width}-{scheme}-{name}")
        assert await page.get_by_role("heading", level=1).count() == 1, name
        assert re.search(r"Workshops on Demand$", await page.title()), name
        found |= {name: problems} if (problems := await hardships(page)) else {}
        await page.context.close()
    assert found == {}


async def test_the_keyboard_filters_and_its_place_is_seen(visit: OpenPage, shop: Shop) -> None:
    await shop.offer(title="Python 101", category=["Programming"])
    await shop.offer("WKSHP-Git", title="Git 101", category=["Tools"])
    page = await visit()
    cards = page.locator("[class*=st-key-card-]")
    await expect(cards).to_have_count(2)
    await tab_to(page, page.get_by_label("Search workshops"))
    await page.keyboard.type("git")
    await expect(cards).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"search=git"))
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.press("Delete")
    await expect(cards).to_have_count(2)
    await tab_to(page, page.get_by_label("Any category"))
    await page.keyboard.type("Tool")
    await page.keyboard.press("Enter")
    await expect(cards).to_have_count(1)
    link = page.get_by_role("link", name="Git 101")
    await tab_to(page, link)
    outline = await link.evaluate("element => getComputedStyle(element, '::after').outlineWidth")
    assert outline == "3px"


async def test_filters_are_in_the_address_and_can_be_left(visit: OpenPage, shop: Shop, client: ApiClient) -> None:
    await shop.offer("WKSHP-Long", title="Long", duration_hours=8)
    await shop.offer("CHLG-Quiz", title="Quiz", session_type="Coding Challenge", duration_hours=1)
    await shop.offer("WKSHP-Full", title="Full", capacity=1)
    client.book(wish("ana", "WKSHP-Full"))
    cards = "[class*=st-key-card-]"
    for query, titles in (
        ("length=Over+4+hours", ["Long"]),
        ("kind=Challenges", ["Quiz"]),
        ("free=true", ["Long", "Quiz"]),
        ("show=Popular", ["Full"]),
        ("show=Latest", ["Full", "Quiz", "Long"]),
    ):
        page = await visit(f"/?{query}")
        await expect(page.locator(f"{cards} a")).to_have_text(titles)
    page = await visit("/?search=nothing+like+this")
    await expect(page.get_by_text("No workshop is like that")).to_be_visible()
    await page.get_by_role("button", name="Show all workshops").click()
    await expect(page.locator(cards)).to_have_count(3)


async def test_a_video_is_fetched_when_it_is_wanted_and_not_before(visit: OpenPage, shop: Shop) -> None:
    await shop.offer(title="Docker 101", replay_link="https://youtu.be/dQw4w9WgXcQ")
    await shop.offer("WKSHP-Other", title="Other", replay_link="https://video.example.org/1", priority=2)
    page = await visit("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.context.route(re.compile("youtube"), lambda route: route.fulfill(body="video"))
    await page.get_by_role("link", name="Replays").click()
    await expect(page.get_by_role("link", name="Watch the replay of Other")).to_be_visible()
    assert not [address for address in asked if "youtu" in address]
    await page.get_by_role("button", name="Watch the replay of Docker 101").press("Enter")
    frame = page.locator("iframe[title='Watch the replay of Docker 101']")
    await expect(frame).to_be_focused()
    assert "youtube-nocookie.com/embed/dQw4w9WgXcQ" in (await frame.get_attribute("src") or "")


async def test_five_hundred_workshops_cost_no_more_than_the_first(
    visit: OpenPage, shop: Shop, api: Process, catalog: Process
) -> None:
    for number in range(500):
        await shop.offer(f"WKSHP-{number}", title=f"Workshop {number:03}", description="What it is about. " * 20)
    before = api.log.read_text().count('"request"')
    page = await visit()
    cards = page.locator("[class*=st-key-card-]")
    await expect(cards).to_have_count(24)
    assert await page.locator(".stElementContainer").count() < 24 * 3 + 40
    await page.get_by_label("Search workshops").fill("workshop 49")
    await expect(cards).to_have_count(15)
    lines = [json.loads(line) for line in api.log.read_text().splitlines() if '"request"' in line][before:]
    routes = [line["route"] for line in lines if line["route"] != "/api/health"]
    # The brand, and the list once for each two seconds that the page was looked at.
    assert routes.count("/api/v1/brand") <= 1
    assert set(routes) <= {"/api/v1/brand", "/api/v1/workshops"}
    assert len(routes) <= 8


async def test_a_still_page_for_those_who_want_no_motion(visit: OpenPage, shop: Shop, client: Any) -> None:
    await shop.offer()
    reference = client.book(wish("ana", "WKSHP-Test101")).reference
    page = await visit(f"/booking?booking={reference}")
    current = page.locator(".wod-current")
    await expect(current).to_be_visible()
    turning = "element => getComputedStyle(element, '::before').animationName"
    assert await current.evaluate(turning) == "wod-turn"
    await page.emulate_media(reduced_motion="reduce")
    assert await current.evaluate(turning) == "none"

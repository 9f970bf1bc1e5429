"""The pages of one student and what they lead to: session, waiting list, badges, being forgotten."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from ui_browser import PHONE, WIDE, OpenPage, fill_form, photograph
from ui_services import Shop

from models.store.seat_offers import offer_seat
from models.tables import utc_now
from ui.api.client import ApiClient
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

KEY = "WKSHP-Test101"
LOOKS = [(width, scheme) for width in (PHONE, WIDE) for scheme in ("light", "dark")]


def wish(name: str, key: str = KEY) -> BookingRequest:
    return BookingRequest(workshop=key, email=f"{name}@example.org", name=name.title(), accept_terms=True)


def session_path(shop: Shop, reference: str) -> str:
    return f"/session?link={shop.link(reference)}"


async def finish(shop: Shop, reference: str) -> None:
    await shop.finish(reference, executed=18, total=24, archive_until=utc_now() + timedelta(days=14))


async def offer_next_seat(shop: Shop) -> None:
    async with shop.database.transaction() as session:
        await offer_seat(session, 1, utc_now(), utc_now() + timedelta(minutes=30))


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_all_of_a_student_on_one_page(
    visit: OpenPage, shop: Shop, client: ApiClient, screenshots: Path, width: int, scheme: str
) -> None:
    await shop.offer(title="Python, first steps")
    await shop.offer(
        "WKSHP-Git", title="Git: from the first commit to settling conflicts in large teams, for everybody"
    )
    await shop.offer("WKSHP-Full", title="Docker 101", capacity=1)
    past = client.book(wish("ana", "WKSHP-Git")).reference
    await shop.serve(past)
    await finish(shop, past)
    now = client.book(wish("ana")).reference
    client.book(wish("bo", "WKSHP-Full"))
    place = WaitingRequest(email="ana@example.org", name="Ana", accept_terms=True)
    client.wait("WKSHP-Full", place)
    page, name = await visit(session_path(shop, now), width, scheme), f"session-{width}-{scheme}"
    await expect(page.get_by_role("heading", name="Hello Ana!")).to_be_visible()
    await expect(page.get_by_text("Seat reserved")).to_be_visible()
    await photograph(page, screenshots, f"{name}-1-preparing")

    await shop.serve(now)
    await shop.rows("UPDATE booking SET cells_executed = 9, cells_total = 24 WHERE reference = :now", now=now)
    jupyter = page.get_by_role("link", name="Open JupyterLab")
    await expect(jupyter).to_be_visible()
    assert "user-redirect" in (await jupyter.get_attribute("href") or "")
    await page.reload()
    await expect(page.get_by_text("You have run 9 of 24 cells.")).to_be_visible()
    await expect(page.get_by_role("link", name=re.compile("Docker 101.*Number 1"))).to_be_visible()
    await expect(page.get_by_role("link", name="Proof of the badge Git")).to_be_visible()
    download = page.get_by_role("link", name="Download my work of Git")
    assert f"/bookings/{past}/work" in (await download.get_attribute("href") or "")
    await photograph(page, screenshots, f"{name}-2-open")

    await page.get_by_role("button", name="Forget me").click()
    await expect(page.get_by_text("Nobody can undo this.")).to_be_visible()
    await photograph(page, screenshots, f"{name}-3-forget")


async def test_the_time_ticks_in_the_browser_alone(visit: OpenPage, shop: Shop, client: ApiClient) -> None:
    await shop.offer()
    reference = client.book(wish("ana")).reference
    await shop.serve(reference, hours=2)
    page = await visit("/terms")
    messages: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: messages.append(frame)))
    await page.goto(page.url.replace("/terms", session_path(shop, reference)))
    timer = page.get_by_role("timer")
    await expect(timer).to_have_text(re.compile(r"1:59:\d\d"))
    await expect(page.locator(".wod-footer")).to_be_visible()
    await page.wait_for_timeout(1000)  # what the server says last comes after the clock
    assert messages
    messages.clear()
    shown = {await timer.text_content() for _ in range(4) if not await page.wait_for_timeout(800)}
    assert len(shown) >= 3
    assert messages == []


async def test_a_session_is_made_longer_and_ended(visit: OpenPage, shop: Shop, client: ApiClient) -> None:
    await shop.offer()
    reference = client.book(wish("ana")).reference
    await shop.serve(reference, hours=2)
    page = await visit(session_path(shop, reference))
    for times, ends in (("2 times", r"1:59:\d\d"), ("once", r"2:59:\d\d")):
        await expect(page.get_by_role("timer")).to_have_text(re.compile(ends))
        await expect(page.get_by_text(f"make your session 1 hour longer, {times}")).to_be_visible()
        await page.get_by_role("button", name="1 hour more").click()
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"3:59:\d\d"))
    await expect(page.get_by_role("button", name="1 hour more")).to_have_count(0)
    await expect(page.get_by_text(re.compile("longer", re.IGNORECASE)).first).to_be_visible()
    await page.get_by_role("button", name="End now").click()
    await page.get_by_role("button", name="Yes, end it").click()
    await expect(page.get_by_text("We are keeping your work for you")).to_be_visible()
    assert (await shop.rows("SELECT state FROM booking"))[0][0] == "ending"


async def test_being_forgotten_takes_the_own_address(
    visit: OpenPage, shop: Shop, client: ApiClient, screenshots: Path
) -> None:
    await shop.offer()
    reference = client.book(wish("ana")).reference
    await shop.serve(reference)
    await finish(shop, reference)
    path = session_path(shop, reference)
    page = await visit(path, PHONE)
    await page.get_by_role("button", name="Forget me").click()
    field = page.get_by_label("Type your e-mail address to confirm")
    await field.fill("bo@example.org")
    await page.get_by_role("button", name="Forget me for good").click()
    await expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    assert (await shop.rows("SELECT email FROM booking"))[0][0] == "ana@example.org"
    await field.fill("Ana@Example.org")
    await page.get_by_role("button", name="Forget me for good").click()
    await expect(page.get_by_text("All the best!")).to_be_visible()
    await photograph(page, screenshots, "forgotten")
    assert "ana" not in str(await shop.rows("SELECT * FROM booking"))
    page = await visit(path)
    await expect(page.get_by_text("Your page can't be opened")).to_be_visible()
    await photograph(page, screenshots, "link-unknown")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_from_a_full_workshop_through_the_line_to_a_seat(
    visit: OpenPage, shop: Shop, client: ApiClient, screenshots: Path, width: int, scheme: str
) -> None:
    await shop.offer(capacity=1)
    taken = client.book(wish("ana")).reference
    await shop.serve(taken, hours=2)
    page, name = await visit(f"/workshop?workshop={KEY}", width, scheme), f"waiting-{width}-{scheme}"
    await expect(page.get_by_text(re.compile("Full · next seat in 1 h 59 min"))).to_be_visible()
    await expect(
        page.get_by_text(re.compile(r"comes free at about .*\d\d:\d\d \(in 1 h 59 min\)"))
    ).to_be_visible()
    await photograph(page, screenshots, f"{name}-1-full")
    await fill_form(page, "ben@example.org", "Ben")
    await page.get_by_role("button", name="Join the waiting list").click()
    await page.wait_for_url("**/waiting?place=*")
    await expect(page.get_by_text("(you are next)")).to_be_visible()
    await photograph(page, screenshots, f"{name}-2-in-line")

    await finish(shop, taken)
    await offer_next_seat(shop)
    await expect(page.get_by_role("button", name="Take this seat")).to_be_visible(timeout=30_000)
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"29:\d\d"))
    await photograph(page, screenshots, f"{name}-3-offered")
    waiting = page.url
    await page.get_by_role("button", name="Take this seat").click()
    await page.wait_for_url("**/booking?booking=*")
    await expect(page.get_by_text("Seat reserved")).to_be_visible()
    await page.goto(waiting)
    await expect(page.get_by_role("link", name="Go to my booking")).to_be_visible()
    await photograph(page, screenshots, f"{name}-4-taken")


async def test_a_place_in_the_line_can_be_given_up(visit: OpenPage, shop: Shop, client: ApiClient) -> None:
    await shop.offer(capacity=1)
    client.book(wish("ana"))
    place = client.wait(KEY, WaitingRequest(email="ben@example.org", name="Ben", accept_terms=True))
    page = await visit(f"/waiting?place={place.reference}", PHONE)
    await page.get_by_role("button", name="Leave the waiting list").click()
    await page.get_by_role("button", name="Yes, give it up").click()
    await expect(page.get_by_text("You are not on the waiting list any more.")).to_be_visible()
    for path in ("/waiting", "/waiting?place=nothing"):
        await expect((await visit(path)).get_by_text("There is no such place")).to_be_visible()


async def test_the_last_seat_is_taken_while_one_fills_the_form_in(
    visit: OpenPage, shop: Shop, client: ApiClient
) -> None:
    await shop.offer(capacity=1)
    page = await visit(f"/workshop?workshop={KEY}")
    await fill_form(page, "ben@example.org", "Ben")
    client.book(wish("ana"))
    await page.get_by_role("button", name="Book my seat").click()
    await expect(page.get_by_role("heading", name="Join the waiting list")).to_be_visible()
    assert await page.get_by_label("Your e-mail address").input_value() == "ben@example.org"
    await page.get_by_role("button", name="Join the waiting list").click()
    await page.wait_for_url("**/waiting?place=*")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_badges_are_seen_and_proved(
    visit: OpenPage, shop: Shop, client: ApiClient, screenshots: Path, width: int, scheme: str
) -> None:
    await shop.offer(title="Python, first steps")
    for number in range(5):
        await shop.offer(f"WKSHP-{number}", title=f"Another workshop, part {number}", priority=2)
    reference = client.book(wish("ana")).reference
    await shop.serve(reference)
    await finish(shop, reference)
    page, name = await visit("/badges", width, scheme), f"badges-{width}-{scheme}"
    await expect(page.locator(".wod-badges li", has_text="Python, first steps")).to_contain_text("1 holder")
    await expect(page.locator(".wod-badges li", has_text="Apprentice")).to_contain_text("Be the first")
    await photograph(page, screenshots, f"{name}-1-wall")
    code = client.own_page(session_path(shop, reference).partition("=")[2]).badges[0].code
    await page.goto(page.url.replace("/badges", f"/badge?code={code}"))
    await expect(page.get_by_role("heading", name="Python, first steps")).to_be_visible()
    await expect(page.get_by_text("earned by Ana")).to_be_visible()
    await expect(page.get_by_text(re.compile("Verified by"))).to_be_visible()
    await expect(page).to_have_title(re.compile("badge of Ana"))
    await photograph(page, screenshots, f"{name}-2-proof")
    await page.goto(page.url.replace(code, "nothing"))
    await expect(page.get_by_text("This proves no badge")).to_be_visible()


async def test_a_badge_is_shared(visit: OpenPage, shop: Shop, client: ApiClient) -> None:
    await shop.offer(title="Python, first steps")
    reference = client.book(wish("ana")).reference
    await shop.serve(reference)
    await finish(shop, reference)
    page: Page = await visit(session_path(shop, reference))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for site, address in (("LinkedIn", "linkedin.com"), ("Mastodon", "joinmastodon.org"), ("X", "x.com")):
        target = await page.get_by_role("link", name=f"Share on {site}", exact=True).get_attribute("href")
        assert address in (target or "")
        assert "share%2Fbadge%2F" in (target or "")
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "/share/badge/" in await page.evaluate("navigator.clipboard.readText()")

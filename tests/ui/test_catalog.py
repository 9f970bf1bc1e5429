"""The catalog in a real browser, on a real API and database."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from ui_browser import PHONE, WIDE, OpenPage, book, catalog_command, fill_form, photograph, tab_to
from ui_services import Process, Shop, api_command, api_environment, free_port, serve_process

from models.rules.booking import BookingEvent
from models.tables import utc_now

pytestmark = [pytest.mark.browser, pytest.mark.integration]

MARKUP = "<b>Bold</b> & *stars* [link](https://evil.test) $x^2$ :red[red] <script>window.hit=1</script>"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, WIDE])
async def test_from_the_catalog_to_the_work_and_home(
    visit: OpenPage, shop: Shop, screenshots: Path, width: int, scheme: str
) -> None:
    await shop.offer("WKSHP-Python101", title="Python 101", category=["Programming"], description="Words. " * 60)
    await shop.offer("WKSHP-Git101", title="Git 101: who did that?", presenter="Linus", category=["Tools"])
    for number in range(4):
        await shop.offer(f"WKSHP-More{number}", title=f"More of it, part {number}", priority=2)
    page, name = await visit("/", width, scheme), f"{width}-{scheme}"
    await expect(page.locator("[class*=st-key-card-]")).to_have_count(6)
    await photograph(page, screenshots, f"{name}-1-list")

    await page.get_by_label("Search workshops").press_sequentially("git who")
    await expect(page.locator("[class*=st-key-card-]")).to_have_count(1)
    await page.get_by_role("link", name="Git 101: who did that?").click()
    await page.wait_for_url("**/workshop?workshop=WKSHP-Git101")
    await expect(page.get_by_role("heading", name="Git 101: who did that?")).to_be_visible()
    await expect(page.get_by_text("20 seats free")).to_be_visible()
    await expect(page.get_by_text("I have 4 hours from the moment")).to_be_visible()
    await photograph(page, screenshots, f"{name}-2-workshop")

    await fill_form(page)
    reference = await book(page)
    done = page.locator(".wod-steps .wod-done")
    await expect(done).to_have_count(1)
    await photograph(page, screenshots, f"{name}-3-preparing")
    await shop.step(reference, "notebooks")
    await expect(done).to_have_count(2)
    await shop.step(reference, "account")
    await expect(done).to_have_count(3)
    await shop.open(reference)
    jupyter = page.get_by_role("link", name="Open JupyterLab")
    await expect(jupyter).to_be_visible()
    await photograph(page, screenshots, f"{name}-4-mail-on-its-way")
    await shop.send_mails(reference)
    await expect(page.get_by_text("Your password is in the mail to a…@example.org")).to_be_visible()
    await expect(page.locator(".wod-steps")).to_have_count(0)
    await expect(page.get_by_role("timer")).to_have_count(1)  # what was drawn before goes last
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"3:59:\d\d"))
    assert "user-redirect" in (await jupyter.get_attribute("href") or "")
    await photograph(page, screenshots, f"{name}-5-ready")

    await page.get_by_role("button", name="End my booking").click()
    await expect(page.get_by_role("button", name="Yes, end it")).to_be_visible()
    await photograph(page, screenshots, f"{name}-6-confirm")
    await page.get_by_role("button", name="Yes, end it").click()
    await expect(page.get_by_text("We are keeping your work for you")).to_be_visible()
    await expect(jupyter).to_have_count(0)
    values = {"cells_executed": 6, "cells_total": 8, "archive_until": utc_now() + timedelta(days=14)}
    await shop.move(reference, BookingEvent.RELEASE, finished_at=utc_now(), **values)
    await expect(page.get_by_text("75 %")).to_be_visible()
    await expect(page.get_by_role("link", name="Download my work")).to_be_visible()
    await photograph(page, screenshots, f"{name}-7-ended")


async def test_what_is_wrong_stands_beside_its_field(visit: OpenPage, shop: Shop, screenshots: Path) -> None:
    await shop.offer()
    page = await visit("/workshop?workshop=WKSHP-Test101", PHONE)
    button = page.get_by_role("button", name="Book my seat")
    await button.click()
    await expect(page.get_by_text("Please accept the terms to go on.")).to_be_visible()
    await fill_form(page, "ana@mailinator.com", "<b>" + "x" * 200)
    await button.click()
    await expect(page.locator(".wod-problem")).to_have_count(2)
    await expect(page.get_by_text("The name is too long.")).to_be_visible()
    await expect(page.get_by_text("throw-away addresses")).to_be_visible()
    assert await page.get_by_label("Your e-mail address").input_value() == "ana@mailinator.com"
    await photograph(page, screenshots, "wrong-fields")
    assert await shop.rows("SELECT 1 FROM booking") == []


async def test_a_refusal_says_why_and_when(visit: OpenPage, shop: Shop, client: Any, screenshots: Path) -> None:
    from ui.api.schemas import BookingRequest

    await shop.offer(capacity=1)
    await shop.offer("WKSHP-Other")
    taken = BookingRequest(workshop="WKSHP-Test101", email="ana@example.org", name="Ana", accept_terms=True)
    await shop.serve(client.book(taken).reference, hours=2)

    page = await visit("/workshop?workshop=WKSHP-Other")
    await fill_form(page)
    await page.get_by_role("button", name="Book my seat").click()
    await expect(page.get_by_text("has a booking already")).to_be_visible()
    await expect(
        page.get_by_text(re.compile(r"The session under way ends at about .*\(in 1 h 59 min\)"))
    ).to_be_visible()
    await photograph(page, screenshots, "already-booked")


async def test_a_failure_is_shown_at_once_without_what_is_the_operators(
    visit: OpenPage, shop: Shop, screenshots: Path
) -> None:
    await shop.offer()
    page = await visit("/workshop?workshop=WKSHP-Test101", PHONE, "dark")
    await fill_form(page)
    reference = await book(page)
    await shop.step(reference, "notebooks")
    await shop.rows("UPDATE booking SET attempts = 2, failure = 'The hub is slow.'")
    await expect(page.get_by_text("it is being tried again.")).to_be_visible()
    await photograph(page, screenshots, "trouble")
    await shop.move(reference, BookingEvent.GIVE_UP, failure="The hub did <b>not</b> answer.")
    await expect(page.get_by_text("the operators were told why")).to_be_visible()
    await expect(page.get_by_text("The hub did")).to_have_count(0)
    await photograph(page, screenshots, "failed")


async def test_markup_is_shown_as_the_text_that_it_is(
    visit: OpenPage, shop: Shop, api: Process, screenshots: Path
) -> None:
    await shop.offer(
        "WKSHP-Evil",
        title=MARKUP,
        description=MARKUP,
        presenter=MARKUP,
        presenter_role=MARKUP,
        category=[MARKUP, "Other"],
        image=f"{api.url}/api/v1/brand?x'),url(javascript:window.hit=1)\"><img src=x onerror=window.hit=1>",
    )
    for width in (WIDE, PHONE):
        page = await visit("/", width)
        await expect(page.get_by_role("link", name=MARKUP)).to_be_visible()
        await expect(page.locator(".wod-categories").get_by_text(MARKUP, exact=True)).to_be_visible()
        await photograph(page, screenshots, f"markup-{width}-list")
        await page.get_by_role("link", name=MARKUP).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
        await fill_form(page, f"a{width}@example.org", MARKUP)
        await page.get_by_label("Your name").fill("<i>Ana</i> {{ 7*7 }}")
        await book(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
        assert await page.evaluate("window.hit") is None
        assert await page.locator("b, a[href*=evil], .katex").count() == 0
    assert {row[0] for row in await shop.rows("SELECT name FROM booking")} == {"<i>Ana</i> {{ 7*7 }}"}


async def test_everything_can_be_done_with_the_keyboard(visit: OpenPage, shop: Shop) -> None:
    await shop.offer(title="Keyboards 101")
    page = await visit()
    link = page.get_by_role("link", name="Keyboards 101")
    await expect(link).to_be_visible()
    await tab_to(page, link)
    await page.keyboard.press("Enter")
    name = page.get_by_label("Your name")
    await expect(name).to_be_visible()
    await tab_to(page, name)
    await page.keyboard.type("Ana Example")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ana@example.org")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await tab_to(page, page.get_by_role("button", name="Book my seat"))
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/booking\?booking="))
    end = page.get_by_role("button", name="End my booking")
    await expect(end).to_be_visible()
    await tab_to(page, end)
    await page.keyboard.press("Enter")
    sure = page.get_by_role("button", name="Yes, end it")
    await expect(sure).to_be_visible()
    await tab_to(page, sure)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("We are keeping your work for you")).to_be_visible()


async def test_addresses_can_be_shared(visit: OpenPage, shop: Shop, client: Any) -> None:
    from ui.api.schemas import BookingRequest

    await shop.offer()
    wish = BookingRequest(workshop="WKSHP-Test101", email="ana@example.org", name="Ana", accept_terms=True)
    reference = client.book(wish).reference
    for path in (f"/?booking={reference}", f"/booking?booking={reference}"):
        await expect((await visit(path)).get_by_text("Seat reserved")).to_be_visible()
    for path in ("/?workshop=WKSHP-Test101", "/workshop?workshop=WKSHP-Test101"):
        await expect((await visit(path)).get_by_role("button", name="Book my seat")).to_be_visible()
    for path in ("/booking", "/booking?booking=nothing"):
        await expect((await visit(path)).get_by_text("There is no such booking")).to_be_visible()
    await expect(
        (await visit("/workshop?workshop=gone")).get_by_text("This workshop is not offered")
    ).to_be_visible()


async def test_many_workshops_are_shown_in_portions(visit: OpenPage, shop: Shop, catalog: Process) -> None:
    for number in range(60):
        await shop.offer(f"WKSHP-{number}", title=f"Workshop {number:02}")
    page = await visit()
    cards = page.locator("[class*=st-key-card-]")
    await expect(cards).to_have_count(24)
    await page.get_by_role("button", name="Show more").click()
    await expect(cards).to_have_count(48)


@pytest.mark.fault
async def test_while_the_api_is_away_the_pages_wait(
    visit: OpenPage, api: Process, shop: Shop, tmp_path: Path, screenshots: Path
) -> None:
    await shop.offer()
    inherited = api_environment(api)
    environment = {name: inherited[name] for name in ("WOD_STATE", "WOD_DATABASE_URL", "WOD_LINK_KEY")}
    port = free_port()
    own = {"WOD_CATALOG_API_URL": f"http://127.0.0.1:{port}"}
    start_api = (api_command(), port, environment, tmp_path / "api.log", "/api/health")
    with serve_process(
        catalog_command(), free_port(), own, tmp_path / "catalog.log", "/_stcore/health"
    ) as catalog:
        page = await visit("/workshop?workshop=WKSHP-Test101", url=catalog.url)
        await expect(page.get_by_text("We'll be right back.")).to_be_visible()
        await page.screenshot(path=screenshots / "outage.png")
        with serve_process(*start_api):
            await expect(page.get_by_role("button", name="Book my seat")).to_be_visible(timeout=15_000)
            await fill_form(page)
            reference = await book(page)
            await expect(page.get_by_text("Seat reserved")).to_be_visible()
        await expect(page.get_by_text("This page tries again by itself.")).to_be_visible()
        await shop.serve(reference)
        with serve_process(*start_api):
            await expect(page.get_by_role("link", name="Open JupyterLab")).to_be_visible(timeout=15_000)
        assert "Traceback" not in (tmp_path / "catalog.log").read_text()


async def test_the_catalog_stays_small(visit: OpenPage, shop: Shop, catalog: Process) -> None:
    await shop.offer()
    await shop.offer("WKSHP-Other")
    page = await visit()
    await page.get_by_label("Search workshops").fill("test")
    await expect(page.locator("[class*=st-key-card-]")).to_have_count(1)
    await page.get_by_role("link", name="Title of").click()
    await fill_form(page)
    await book(page)
    await expect(page.get_by_text("Seat reserved")).to_be_visible()
    loaded = Path(f"/proc/{catalog.running.pid}/maps").read_text()
    assert not re.search(r"/(pandas|pyarrow|numpy)/", loaded)
    assert "Traceback" not in catalog.log.read_text()

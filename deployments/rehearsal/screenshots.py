"""Pictures of what students see: a real platform, and a student at it in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from deployments.rehearsal.maildir import credentials_of, text_of
from deployments.rehearsal.own_platform import OwnPlatform
from models.errors import StepFailed
from models.rules.booking import MailKind

_WIDE, _PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=780)
_WORKSHOP = "WKSHP-Python-First-Steps"
_NAME, _EMAIL = "Robin Rehearsal", "robin@example.com"
_WAIT_SECONDS = 120


async def take_screenshots(platform: OwnPlatform, chromium: str, folder: Path) -> list[Path]:
    """Book and work on a platform; return the pictures that were put into `folder` on the way.

    Raises:
        StepFailed: mail_missing, mail_incomplete.

    """
    taken: list[Path] = []
    async with _browser(chromium) as browser:
        page, phone = await _open(browser, _WIDE), await _open(browser, _PHONE)

        async def take(of: Page, name: str) -> None:
            taken.append(folder / f"{name}.jpg")
            # A tenth of what the soft colours of the pictures take as PNG.
            await of.screenshot(path=taken[-1], type="jpeg", quality=88, animations="disabled")

        catalog = platform.settings.url("catalog")
        await _see(page, catalog, "Learn by doing")
        await expect(page.locator("[class*=st-key-card-]").first).to_be_visible()
        await take(page, "catalog")
        await _see(page, f"{catalog}/workshop?workshop={_WORKSHOP}", "Book your seat")
        await _see_pictures(page)
        await take(page, "workshop")
        await _book(page)
        await take(page, "booking")
        mail = await platform.mailbox.wait_for(MailKind.CREDENTIALS, _EMAIL, _WAIT_SECONDS)
        await phone.set_content(str(getattr(mail.get_body(("html",)), "get_content", str)()))
        await take(phone, "mail")
        await _work(page, mail_text := text_of(mail), credentials_of(mail).password)
        await take(page, "jupyterlab")
        await _see(phone, _own_page(mail_text), "Open JupyterLab")
        await take(phone, "session")
        await _see(page, f"{catalog}/badges", "Badges")
        await take(page, "badges")
    return taken


@asynccontextmanager
async def _browser(program: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


async def _open(browser: Browser, size: ViewportSize) -> Page:
    context = await browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(_WAIT_SECONDS * 1000)
    expect.set_options(timeout=_WAIT_SECONDS * 1000)
    return await context.new_page()


async def _see(page: Page, address: str, words: str) -> None:
    await page.goto(address)
    await expect(page.get_by_text(words, exact=True).first).to_be_visible()
    await expect(page.locator(".wod-footer")).to_be_attached()


async def _see_pictures(page: Page) -> None:
    await page.wait_for_function("[...document.images].every(picture => picture.complete)")


async def _book(page: Page) -> None:
    await page.get_by_label("Your name").fill(_NAME)
    await page.get_by_label("Your e-mail address").fill(_EMAIL)
    await page.get_by_text(re.compile("I have .* from the moment")).click()
    await page.get_by_role("button", name="Book my seat").click()
    await expect(page.locator(".wod-steps, .st-key-way-in").first).to_be_visible()


async def _work(page: Page, mail_text: str, password: str) -> None:
    await page.goto(re.search(r"http\S+/hub/\S+", mail_text)[0])  # type: ignore[index]
    await page.locator("input[type=password]").fill(password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile("/lab"))
    await expect(page.locator(".jp-Notebook img").first).to_be_visible()
    await expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def _own_page(mail_text: str) -> str:
    found = re.search(r"http\S+/session\?link=\S+", mail_text)
    if found is None:
        raise StepFailed("The credentials mail holds no link to the own page.", reason="mail_incomplete")
    return found[0]

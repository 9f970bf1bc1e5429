"""The catalog as a process, and what a visitor's hands and eyes do in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from axe_core_python.async_playwright import Axe
from playwright.async_api import Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, PHONE = 1440, 390

# A machine that runs other tests besides draws pages slowly.
expect.set_options(timeout=15_000)

OpenPage = Callable[..., Awaitable[Page]]


def catalog_command() -> list[str]:
    return ["streamlit", "run", str(Path(__file__).parents[1] / "ui/catalog/main.py"), "--server.port"]


def note_complaint(complaints: list[str], kind: str, text: str, location: Any) -> None:
    # Streamlit looks for its own server at each level of a page's address, and the first tries may fail. Other
    # tests boot machines, which this machine's network then has or has no more.
    if kind == "error" and "/_stcore/" not in str(location) and "ERR_NETWORK_CHANGED" not in text:
        complaints.append(f"{text} {location}")


async def photograph(page: Page, folder: Path, name: str) -> None:
    await expect(page.locator(".wod-footer")).to_be_visible()
    for unfinished in ("stStatusWidget", "stSkeleton"):
        await expect(page.locator(f"[data-testid={unfinished}]")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    size = page.viewport_size or {"width": WIDE, "height": 900}
    height = await page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    await page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(height, 4000))})
    await page.screenshot(path=folder / f"{name}.png", animations="disabled")
    await page.set_viewport_size(size)


async def fill_form(page: Page, email: str = "ana@example.org", name: str = "Ana Example") -> None:
    await page.get_by_label("Your name").fill(name)
    await page.get_by_label("Your e-mail address").fill(email)
    await page.get_by_text(re.compile(r"I have .* from the moment")).click()


async def book(page: Page) -> str:
    """Send the form; return the reference of the booking."""
    await page.get_by_role("button", name="Book my seat").click()
    await page.wait_for_url(re.compile(r"/booking\?booking="))
    return page.url.partition("booking=")[2]


async def tab_to(page: Page, target: Any) -> None:
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await target.evaluate("element => element.contains(document.activeElement)"):
            return
    raise AssertionError("the keyboard doesn't get there")


async def hardships(page: Page) -> list[str]:
    """Return what keeps people with disabilities from using a page, as far as axe-core sees it."""
    found = await Axe().run(page)
    assert len(found["passes"]) > 10
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]

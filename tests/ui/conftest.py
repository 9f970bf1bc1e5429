"""A real API process on a private PostgreSQL, and a catalog of workshops in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from postgres import PrivatePostgres
from ui_browser import CHROMIUM, WIDE, OpenPage, catalog_command, note_complaint
from ui_services import (
    Process,
    RunWod,
    Shop,
    api_command,
    api_environment,
    free_port,
    open_shop,
    run_wod,
    serve_process,
)

from models.settings import Settings
from ui.api.client import ApiClient

# A little longer than ui.catalog.connection keeps the list of workshops for all visitors.
CATALOG_REMEMBERS_SECONDS = 2.2


@pytest.fixture(scope="session")
def api(postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Yield a running API with a database of its own."""
    state = tmp_path_factory.mktemp("api-state")
    environment = {
        "WOD_STATE": str(state),
        "WOD_DATABASE_URL": postgres.new_database(),
        "WOD_LINK_KEY": "signs-links-in-tests",
    }
    with serve_process(api_command(), free_port(), environment, state / "api.log", "/api/health") as process:
        yield process


@pytest.fixture(scope="session")
def settings(api: Process) -> Settings:
    """The settings that the API runs with."""
    environment = api_environment(api)
    return Settings(
        database_url=environment["WOD_DATABASE_URL"],
        link_key=environment["WOD_LINK_KEY"],
        state_dir=Path(environment["WOD_STATE"]),
    )


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    """Yield the database of the API with seats and no workshops."""
    async with open_shop(settings) as opened:
        yield opened


@pytest.fixture
def wod(settings: Settings, shop: Shop) -> RunWod:
    """Return a function that runs a `wod` command on the database of the API."""
    return partial(run_wod, settings)


@pytest.fixture
async def web(api: Process) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a plain HTTP client at the API."""
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as opened:
        yield opened


@pytest.fixture
def client(api: Process) -> Iterator[ApiClient]:
    """Yield a client of the API."""
    with ApiClient(api.url) as opened:
        yield opened


@pytest.fixture(scope="session")
def catalog(api: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    environment = {"WOD_CATALOG_API_URL": api.url}
    log = tmp_path_factory.mktemp("catalog") / "catalog.log"
    with serve_process(catalog_command(), free_port(), environment, log, "/_stcore/health") as process:
        yield process


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("CATALOG_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest.fixture
async def visit(browser: Browser, catalog: Process) -> AsyncIterator[OpenPage]:
    """Yield a function that opens a page of the catalog; no page may have complained in the end."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []
    # What earlier tests had on offer is forgotten by then.
    await asyncio.sleep(CATALOG_REMEMBERS_SECONDS)

    async def open_page(path: str = "/", width: int = WIDE, scheme: Any = "light", url: str = "") -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id="Europe/Berlin"
        )
        contexts.append(context)
        page = await context.new_page()
        page.on(
            "console", lambda message: note_complaint(complaints, message.type, message.text, message.location)
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        await page.goto((url or catalog.url) + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []

"""Routes: what sites that preview links learn of a page of the catalog; people are sent on to that page.

The catalog itself is one page for them: what it shows is drawn by scripts, which they don't run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

import jinja2
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from models.errors import Refused
from models.rules.links import badge_page, web_address, workshop_page
from models.settings import Settings
from models.store.catalog import offer
from ui.api.badges import prove_badge
from ui.api.parts import DatabaseHere, SettingsHere

router = APIRouter(prefix="/share", include_in_schema=False)


@dataclass(frozen=True)
class Preview:
    """What is told of a page: a title, a sentence, and the absolute address of a picture, or an empty text."""

    title: str
    description: str
    image: str


@router.get("/workshop/{key}")
async def preview_workshop(key: str, settings: SettingsHere, database: DatabaseHere) -> HTMLResponse:
    """Return what there is to tell of a workshop on offer."""
    page = workshop_page(settings.url("catalog"), key)
    try:
        async with database.transaction() as session:
            workshop = (await offer(session, key)).workshop
    except Refused:
        return _answer(settings, page, None)
    image = web_address(workshop.image, needs_path=True)
    return _answer(settings, page, Preview(workshop.title, workshop.description, image))


@router.get("/badge/{code}")
async def preview_badge(code: str, settings: SettingsHere, database: DatabaseHere) -> HTMLResponse:
    """Return what there is to tell of a badge that somebody has earned."""
    page = badge_page(settings.url("catalog"), code)
    try:
        proof = await prove_badge(code, settings, database)
    except Refused:
        return _answer(settings, page, None)
    told = Preview(f"{proof.title}, earned by {proof.holder}", proof.description, proof.image)
    return _answer(settings, page, told)


def _answer(settings: Settings, page: str, preview: Preview | None) -> HTMLResponse:
    """Send people on to `page` in any case: it says what is wrong with the address."""
    shown = preview or Preview(settings.brand, "", "")
    content = _template().render(page=page, brand=settings.brand, preview=shown)
    return HTMLResponse(content, HTTPStatus.OK if preview else HTTPStatus.NOT_FOUND)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(Path(__file__).with_name("preview.html").read_text())

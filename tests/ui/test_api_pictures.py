"""The introductions of workshops and their pictures, as browsers get them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from ui_services import Shop

from models.store.pictures import Picture, save_pictures
from ui.api.client import ApiClient

pytestmark = pytest.mark.integration

NAME = "0123456789abcdef01234567.svg"
PATH = f"/api/v1/workshops/WKSHP-Test101/pictures/{NAME}"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
async def key(shop: Shop) -> str:
    offered = await shop.offer(readme=f"![A]({PATH})\n[B]: {PATH}\n[C](https://c.test/api/v1/)")
    async with shop.database.transaction() as session:
        await save_pictures(session, offered, {NAME: Picture("image/svg+xml", SVG)})
    return offered


async def test_the_introduction_leads_to_its_pictures(
    key: str, shop: Shop, client: ApiClient, web: httpx.AsyncClient
) -> None:
    whole = shop.settings.url("api") + PATH
    assert client.workshop(key).readme == f"![A]({whole})\n[B]: {whole}\n[C](https://c.test/api/v1/)"
    answer = await web.get(PATH)
    assert (answer.status_code, answer.content) == (200, SVG)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        f"WKSHP-Other/pictures/{NAME}",
        "WKSHP-Test101/pictures/ffffffffffffffffffffffff.svg",
        "WKSHP-Test101/pictures/..%2f..%2fsettings.toml",
        "WKSHP-Test101/pictures/%00",
        f"WKSHP%00/pictures/{NAME}",
    ],
)
async def test_nothing_else_is_served(key: str, web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(f"/api/v1/workshops/{path}")
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"]) == (404, 404)


@pytest.mark.parametrize(
    "change", ["UPDATE workshop SET active = false", "UPDATE workshop SET retired_at = now()"]
)
async def test_a_workshop_that_is_not_offered_shows_no_pictures(
    key: str, shop: Shop, web: httpx.AsyncClient, change: str
) -> None:
    await shop.rows(change)
    assert (await web.get(PATH)).status_code == 404

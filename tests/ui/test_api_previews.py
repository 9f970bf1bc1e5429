"""What sites that preview links are told, and where people are sent."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from models.rules.links import badge_page, workshop_page
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

KEY = "WKSHP-Test101"


class Head(HTMLParser):
    """The meta elements of a page, by their names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.told: dict[str, str] = {}
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = {name: value or "" for name, value in attrs}
        name = found.get("property") or found.get("name") or found.get("http-equiv")
        if tag == "meta" and name:
            self.told[name] = found["content"]


async def test_a_workshop_is_previewed(shop, client, web):
    await shop.offer(title='Python "101" <b>&', description="First steps.", image="https://i.test/python.png")
    address = urlsplit(client.workshop(KEY).share_url)
    assert f"{address.scheme}://{address.netloc}" == shop.settings.url("api")
    answer = await web.get(address.path)
    head = Head(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert head.told["og:title"] == 'Python "101" <b>&'
    assert "b" not in head.tags
    assert (head.told["og:description"], head.told["og:image"]) == ("First steps.", "https://i.test/python.png")
    assert head.told["refresh"] == f"0; url={workshop_page(shop.settings.url('catalog'), KEY)}"


async def test_a_badge_is_previewed_until_its_holder_is_forgotten(shop, client, web):
    await shop.offer()
    wish = BookingRequest(workshop=KEY, email="ana@example.org", name="Ana", accept_terms=True)
    reference = client.book(wish).reference
    await shop.serve(reference)
    await shop.finish(reference)
    (badge,) = client.own_page(shop.link(reference)).badges
    assert client.badge(badge.code).share_url == badge.share_url
    page = badge_page(shop.settings.url("catalog"), badge.code)
    told = Head((await web.get(urlsplit(badge.share_url).path)).text).told
    assert told["og:title"] == f"Title of {KEY}, earned by Ana"
    assert "og:image" not in told
    assert told["refresh"] == f"0; url={page}"
    client.forget(shop.link(reference))
    answer = await web.get(urlsplit(badge.share_url).path)
    assert answer.status_code == 404
    assert "Ana" not in answer.text
    assert Head(answer.text).told["refresh"] == f"0; url={page}"


@pytest.mark.parametrize(
    "path", ["workshop/WKSHP-None", "workshop/%00", "workshop/%22%3E%3Cscript%3E", "badge/nothing", "badge/%00"]
)
async def test_what_there_is_not_leads_to_the_page_that_says_so(shop, web, path):
    answer = await web.get(f"/share/{path}")
    head = Head(answer.text)
    assert answer.status_code == 404
    assert head.told["refresh"].startswith(f"0; url={shop.settings.url('catalog')}/{path.partition('/')[0]}?")
    assert "script" not in head.tags

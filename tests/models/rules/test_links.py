from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from models.rules.links import (
    badge_page,
    booking_page,
    own_page,
    session_page,
    shared_badge,
    shared_workshop,
    waiting_page,
    web_address,
    work_download,
    workshop_page,
)


def test_pages_are_addressed_whatever_the_key_holds():
    assert workshop_page("http://c:1", "WKSHP-A & B") == "http://c:1/workshop?workshop=WKSHP-A+%26+B"
    assert booking_page("http://c:1", "Ab_-") == "http://c:1/booking?booking=Ab_-"
    assert own_page("http://c:1", "a.b-c") == "http://c:1/session?link=a.b-c"
    assert waiting_page("http://c:1", "Ab_-") == "http://c:1/waiting?place=Ab_-"
    assert badge_page("http://c:1", "a.b&c") == "http://c:1/badge?code=a.b%26c"
    assert shared_workshop("http://a:1", "WKSHP-A & B") == "http://a:1/share/workshop/WKSHP-A%20%26%20B"
    assert shared_badge("http://a:1", "a.b&c") == "http://a:1/share/badge/a.b%26c"
    assert work_download("http://a:1", "../x") == "http://a:1/api/v1/bookings/..%2Fx/work"


@pytest.mark.parametrize(
    ("hub_url", "prefix"), [("http://hub:8000", ""), ("https://example.org/jupyter", "/jupyter")]
)
def test_a_session_opens_on_the_first_notebook_after_the_log_in(hub_url, prefix):
    parts = urlsplit(session_page(hub_url, "student7", "WKSHP-C#"))
    assert parts.path == f"{prefix}/hub/login"
    assert parse_qs(parts.query) == {
        "username": ["student7"],
        "next": [f"{prefix}/hub/user-redirect/lab/tree/WKSHP-C%23/0-ReadMeFirst.ipynb"],
    }


@pytest.mark.parametrize(
    ("text", "needs_path", "expected"),
    [
        ("https://example.org/x.png", True, "https://example.org/x.png"),
        (" https://example.org/x.png ", True, "https://example.org/x.png"),
        ("https://example.org", False, "https://example.org"),
        ("https://youtu.be/", True, ""),
        ("https://youtu.be/", False, "https://youtu.be/"),
        ("https://example.org/?v=1", True, "https://example.org/?v=1"),
        ("???", False, ""),
        ("tbd", False, ""),
        ("/img/a.png", False, ""),
        ("javascript:alert(1)", False, ""),
        ("data:text/html,x", False, ""),
        ("https://", False, ""),
        ("http://[::1", False, ""),
        ("", False, ""),
    ],
)
def test_only_web_addresses_are_shown(text, needs_path, expected):
    assert web_address(text, needs_path=needs_path) == expected

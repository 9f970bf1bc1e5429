from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from ui.api.schemas import Workshop
from ui.catalog.pictures import picture, portrait
from ui.catalog.wording import as_html, as_markdown, clock, hours, span
from ui.catalog.workshop_list import matching

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


def workshop(key: str, **values: object) -> Workshop:
    usual = dict.fromkeys(Workshop.model_fields, "") | {
        "key": key, "category": [], "duration_hours": 4, "capacity": 1, "free_seats": 1, "is_popular": False,
        "next_free_at": None,
        "waiting": 0,
        "can_wait": False,
        "kind": "workshop",
        "is_new": False,
        "created_at": NOW,
        "updated_at": NOW,
    }  # fmt: skip
    return Workshop.model_validate(usual | values)


@pytest.mark.parametrize(
    ("count", "words"),
    [(4, "4 hours"), (1, "1 hour"), (2.5, "2.5 hours"), (0.5, "30 minutes"), (1 / 60, "1 minute"), (0, "0 hours")],
)
def test_hours_in_words(count, words):
    assert hours(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 01 min")],
)  # fmt: skip
def test_spans_in_words(seconds, words):
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("hours_ahead", "zone", "words"),
    [
        (0, None, "22:30 UTC"),
        (0, "Europe/Berlin", "23:30"),
        (1, "Europe/Berlin", "Tuesday 24 November, 00:30"),
        (0, "Nowhere/Here", "22:30"),
        (0, "../../etc/passwd", "22:30"),
        (3, None, "Tuesday 24 November, 01:30 UTC"),
    ],
)
def test_clocks_of_visitors(hours_ahead, zone, words):
    assert clock(NOW + timedelta(hours=hours_ahead), zone, NOW) == words


def test_markup_is_escaped():
    assert as_html("<b>\"a\" & 'b'</b>\n c") == "&lt;b&gt;&quot;a&quot; &amp; &#x27;b&#x27;&lt;/b&gt; c"
    assert as_markdown("a_b [c](d) :red[e]") == r"a\_b \[c\]\(d\) \:red\[e\]"


def test_pictures_depend_on_the_name_alone():
    assert picture("Git") == picture("Git")
    assert len({picture(f"Workshop {number}") for number in range(50)}) == 50
    drawn = base64.b64decode(portrait("<script> Ana  von Example").partition(",")[2]).decode()
    assert ">AE</text>" in drawn


@pytest.mark.parametrize("name", ["", "   ", "???", "山田 太郎", "\ud800", "x" * 10_000, "<&>\"'"])
def test_any_name_gets_a_picture(name):
    for address in (picture(name), portrait(name)):
        assert base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")


@pytest.mark.parametrize(
    ("words", "category", "found"),
    [
        ("", None, ["git", "python"]),
        ("GIT", None, ["git"]),
        ("ada first", None, ["python"]),
        ("ada git", None, []),
        ("tools", None, ["git"]),
        ("", "Tools", ["git"]),
        ("python", "Tools", []),
        (" .* ", None, []),
    ],
)
def test_workshops_are_found_by_every_word(words, category, found):
    offered = [
        workshop("git", title="Git 101", category=["Tools"], presenter="Linus"),
        workshop("python", title="Python", description="First steps", category=["Languages"], presenter="Ada"),
    ]
    assert [each.key for each in matching(offered, words, category)] == found

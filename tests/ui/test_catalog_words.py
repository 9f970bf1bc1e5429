from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from ui.api.schemas import Workshop
from ui.catalog.pictures import medal, picture, portrait
from ui.catalog.replays import embedded_video
from ui.catalog.selection import LATEST, POPULAR, Selection, categories, durations, kinds, select
from ui.catalog.sharing import share_html, share_links
from ui.catalog.wording import as_html, as_markdown, clock, hours, span

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
    for address in (picture(name), portrait(name), medal(name)):
        assert base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")


OFFERED = [
    workshop("git", title="Git 101", category=["Tools"], presenter="Linus", duration_hours=2, is_popular=True),
    workshop("python", title="Python", description="First steps", category=["Languages"], presenter="Ada",
             free_seats=0, created_at=NOW + timedelta(days=1)),
    workshop("quiz", title="Quiz", category=["tools", "Languages"], duration_hours=8, kind="challenge"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        (Selection(), ["git", "python", "quiz"]),
        (Selection("  "), ["git", "python", "quiz"]),
        (Selection("STEPS first"), ["python"]),
        (Selection("ada git"), []),
        (Selection("tools"), ["git", "quiz"]),
        (Selection(" .* "), []),
        (Selection(category="Tools"), ["git"]),
        (Selection("python", category="Tools"), []),
        (Selection(order=LATEST), ["python", "git", "quiz"]),
        (Selection(order=POPULAR), ["git"]),
        (Selection(duration="Up to 2 hours"), ["git"]),
        (Selection(duration="2 to 4 hours"), ["python"]),
        (Selection(duration="Over 4 hours"), ["quiz"]),
        (Selection(duration="some other"), ["git", "python", "quiz"]),
        (Selection(kind="Challenges"), ["quiz"]),
        (Selection(kind="Workshops"), ["git", "python"]),
        (Selection(only_free=True), ["git", "quiz"]),
    ],
)
def test_workshops_are_selected(wish, found):
    assert [each.key for each in select(OFFERED, wish)] == found


def test_only_what_tells_workshops_apart_can_be_asked_for():
    assert categories(OFFERED) == ["Languages", "Tools", "tools"]
    assert durations(OFFERED) == ["Up to 2 hours", "2 to 4 hours", "Over 4 hours"]
    assert kinds(OFFERED) == ["Workshops", "Challenges"]
    assert (categories([]), durations(OFFERED[:1]), kinds(OFFERED[:2])) == ([], [], [])


@pytest.mark.parametrize(
    ("address", "video"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3", "dQw4w9WgXcQ"),
        ("https://youtu.be/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("https://www.youtube.com/embed/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("https://m.youtube.com/live/dQw4w9WgXcQ?x=y", "dQw4w9WgXcQ"),
        ("https://www.youtube.com/watch?v=x'><script>", ""),
        ("https://www.youtube.com/playlist?list=PL1", ""),
        ("https://youtube.com.evil.test/watch?v=dQw4w9WgXcQ", ""),
        ("https://video.example.org/1", ""),
        ("https://youtu.be/", ""),
        ("http://[", ""),
    ],
)
def test_only_videos_of_youtube_are_embedded_and_without_cookies(address, video):
    expected = f"https://www.youtube-nocookie.com/embed/{video}?autoplay=1&rel=0" if video else ""
    assert embedded_video(address) == expected


def test_a_badge_is_shared_by_its_proof():
    links = share_links("https://w.test/badge?code=a.b&c", "“Ana & Bo”")
    assert links["LinkedIn"].endswith("?url=https%3A%2F%2Fw.test%2Fbadge%3Fcode%3Da.b%26c")
    assert all("%E2%80%9CAna" in links[site] for site in ("Mastodon", "X"))
    assert '"x' not in share_html('https://w.test/?a="x', '"x')

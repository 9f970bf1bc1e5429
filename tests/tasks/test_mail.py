# ruff: noqa: RUF001 - dashes, quotes and letters as people write them
from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mail_samples import BRANDED, FULL, MINIMAL, PLAIN, Page, mail, part

from models.errors import Refused
from models.rules.badges import LADDER
from models.rules.booking import MailKind
from tasks.mail import Branding, MailContext, compose

# What each kind has to tell, in both of its parts.
TOLD = {
    MailKind.WELCOME: ["4 hours", FULL.replay_url, FULL.own_page_url],
    MailKind.CREDENTIALS: [
        "4 hours",
        FULL.username,
        FULL.password,
        FULL.session_url,
        FULL.replay_url,
        FULL.own_page_url,
        "Monday 23 November 2026, 18:05 UTC",
    ],
    MailKind.REMINDER: [
        "1 hour",
        FULL.username,
        FULL.password,
        FULL.session_url,
        "18:05 UTC",
        "Download",
        "Need more time",
    ],
    MailKind.THANKS: [
        "42 of its 60 code cells, that is 70%",
        FULL.badge_title,
        FULL.badge_picture_url,
        FULL.archive_url,
        "14 days",
        "7 December 2026",
        "https://www.linkedin.com/sharing/share-offsite/?url=https%3A%2F%2Fwod.example.com%2Fshare%2Fbadge%2F",
        FULL.badge_url,
        FULL.catalog_url,
        "https://feedback.example.com/?a=1&b=2",
    ],
    MailKind.APOLOGY: ["did not do its part in time", FULL.workshop_url, "free again"],
    MailKind.SPECIAL_BADGE: ["Expert", "5", "Hero", FULL.badge_url, "linkedin.com", FULL.catalog_url],
    MailKind.WAITING: ["number 3", "30 minutes", "4 hours", FULL.place_url, FULL.replay_url],
    MailKind.OFFER: ["Monday 23 November 2026, 18:05 UTC: 30 minutes from now", "4 hours", FULL.place_url],
    MailKind.OFFER_MISSED: ["18:05 UTC", "No harm done", FULL.workshop_url],
    MailKind.LINE_CLOSED: ["is not offered any more", FULL.catalog_url],
}


@pytest.mark.parametrize("kind", MailKind)
def test_a_mail_tells_everything_in_text_and_in_html(kind: MailKind) -> None:
    message = mail(kind)
    text, page = part(message, "plain"), Page(part(message, "html"))
    shown = page.text + " " + " ".join(page.links)
    everywhere = [FULL.student_name, FULL.own_page_url, "https://chat.example.com/wod", "https://dev.example.com/"]
    for told in [*TOLD[kind], *everywhere]:
        assert told in " ".join(text.split()), told
        assert told in shown, told
    if kind is not MailKind.SPECIAL_BADGE:
        assert FULL.workshop_title in message["Subject"]
        assert FULL.workshop_title in text
        assert FULL.workshop_title in page.text


@pytest.mark.parametrize("kind", MailKind)
@pytest.mark.parametrize("context", [MINIMAL, FULL], ids=["minimal", "full"])
@pytest.mark.parametrize("brand", [PLAIN, BRANDED], ids=["plain", "branded"])
def test_a_mail_is_complete_and_tidy(kind: MailKind, context: MailContext, brand: Branding) -> None:
    message = mail(kind, context, brand)
    text, html = part(message, "plain"), part(message, "html")
    for content in (text, html, message["Subject"]):
        assert not re.search(r"\{[{%#]|[}%#]\}|None|Undefined|MailKind", content)
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert not re.search(r"<[a-z/!]", text)
    page = Page(html)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "form", "iframe", "object"}
    assert all(attributes.get("alt") for tag, attributes in page.elements if tag == "img")
    assert all(attributes.get("role") == "presentation" for tag, attributes in page.elements if tag == "table")
    assert all(link.startswith(("https://", "http://")) for link in page.links)
    assert len(html) < 60_000  # mail clients cut longer ones (Gmail at 102 kB)


@pytest.mark.parametrize("kind", MailKind)
def test_every_link_of_the_html_is_in_the_text_too(kind: MailKind) -> None:
    message = mail(kind)
    text = part(message, "plain")
    decoration = {BRANDED.logo_url}
    assert {link for link in Page(part(message, "html")).links - decoration if link not in text} == set()


@pytest.mark.parametrize("kind", MailKind)
def test_the_headers(kind: MailKind) -> None:
    message = mail(kind)
    assert message["From"].addresses[0].addr_spec == "workshops@wod.example.com"
    assert message["From"].addresses[0].display_name == "L’atelier – à la demande"
    assert message["Reply-To"] == "workshops@wod.example.com"
    assert message["To"] == "ana@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
    assert message.get_content_type() == "multipart/alternative"
    assert [each.get_content_subtype() for each in message.iter_parts()] == ["plain", "html"]
    wire = compose(kind, "ana@example.com", FULL, BRANDED).as_bytes()
    assert wire.isascii()
    assert max(map(len, wire.split(b"\r\n"))) <= 78
    assert b"\n" not in wire.replace(b"\r\n", b"")


def test_a_message_id_belongs_to_a_booking_and_a_kind_and_gives_neither_away() -> None:
    ids = {kind: mail(kind)["Message-ID"] for kind in MailKind}
    assert len(set(ids.values())) == len(MailKind)
    for kind, message_id in ids.items():
        assert re.fullmatch(rf"<{kind}\.[0-9a-f]{{20}}@wod\.example\.com>", message_id)
        assert mail(kind, replace(FULL, student_name="Someone"))["Message-ID"] == message_id
        assert mail(kind, replace(FULL, reference="other"))["Message-ID"] != message_id
        assert FULL.reference not in message_id
        assert mail(kind, replace(FULL, round=1))["Message-ID"] != message_id


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MailKind.CREDENTIALS, "username"),
        (MailKind.CREDENTIALS, "password"),
        (MailKind.CREDENTIALS, "session_url"),
        (MailKind.REMINDER, "username"),
        (MailKind.REMINDER, "session_url"),
        (MailKind.SPECIAL_BADGE, "rung"),
        (MailKind.OFFER, "place_url"),
        (MailKind.OFFER, "offer_until"),
    ],
)
def test_a_mail_that_lacks_its_point_is_not_written(kind: MailKind, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        compose(
            kind,
            "ana@example.com",
            replace(FULL, **{name: "" if isinstance(getattr(FULL, name), str) else None}),
            PLAIN,
        )
    assert refusal.value.reason == "mail_incomplete"
    assert name in refusal.value.message


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "ana",
        "ana@",
        "ana@example.com\r\nBcc: x@example.com",
        "a b@example.com",
        "änne@example.com",
        "a@x, b@x",
    ],
)
def test_a_recipient_that_could_not_stand_in_a_header_is_refused(recipient: str) -> None:
    with pytest.raises(Refused) as refusal:
        compose(MailKind.WELCOME, recipient, FULL, PLAIN)
    assert refusal.value.reason == "mail_address_wrong"


@pytest.mark.parametrize("sender", ["", "nobody", "a@b\nBcc: c@example.com", "wörkshops@example.com"])
def test_a_wrong_sender_is_refused(sender: str) -> None:
    with pytest.raises(Refused) as refusal:
        compose(MailKind.WELCOME, "ana@example.com", FULL, replace(PLAIN, sender=sender))
    assert refusal.value.reason == "mail_address_wrong"


def test_the_password_is_not_in_a_printed_context() -> None:
    assert FULL.password not in repr(FULL)
    for kind in set(MailKind) - {MailKind.CREDENTIALS, MailKind.REMINDER}:
        assert FULL.password not in part(mail(kind), "plain") + part(mail(kind), "html")


def test_a_reminder_without_the_password_says_where_it_is() -> None:
    message = mail(MailKind.REMINDER, replace(FULL, password="", hours_left=0.25))
    assert message["Subject"].startswith("15 minutes left: ")
    for content in (part(message, "plain"), Page(part(message, "html")).text):
        assert "Your seat is ready" in content
        assert FULL.username in content


@pytest.mark.parametrize(
    ("executed", "total", "opened", "has_badge", "told"),
    [
        (60, 60, True, True, "You ran all of its 60 code cells"),
        (42, 60, True, True, "that is 70%"),
        (0, 60, True, False, "You ran none of its 60 code cells"),
        (None, None, True, True, "Your session has ended"),
        (0, 0, True, True, "Your session has ended"),
        (None, None, False, False, "ended before it began"),
    ],
)
def test_thanks_fit_what_was_done(
    executed: int | None, total: int | None, opened: bool, has_badge: bool, told: str
) -> None:
    context = replace(FULL, cells_executed=executed, cells_total=total, was_opened=opened)
    message = mail(MailKind.THANKS, context)
    text, page = part(message, "plain"), Page(part(message, "html"))
    assert told in " ".join(text.split())
    assert told in page.text
    assert (FULL.badge_title in text) is has_badge
    assert (FULL.badge_picture_url in page.links) is has_badge
    assert ("LinkedIn" in text) is has_badge
    assert ("LinkedIn" in page.text) is has_badge


def test_a_badge_without_a_picture_is_drawn() -> None:
    page = Page(part(mail(MailKind.THANKS, replace(FULL, badge_picture_url="WOD-Badge-GIT101")), "html"))
    assert "★ GIT 101 finisher" in page.text
    assert page.links & {FULL.badge_picture_url} == set()


def test_the_top_of_the_ladder_promises_no_more() -> None:
    text = part(mail(MailKind.SPECIAL_BADGE, replace(FULL, rung=LADDER[-1])), "plain")
    assert "Legend" in text
    assert "no higher badge" in text

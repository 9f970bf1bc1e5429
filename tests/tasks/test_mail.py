# ruff: noqa: RUF001 - dashes, quotes and letters as people write them
from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Refused
from models.rules.badges import LADDER, rung_of
from models.rules.booking import MailKind
from models.settings import Settings
from tasks.mail import Branding, MailContext, branding, compose
from tasks.mail_words import completion, duration, kept, moment

SITE = "https://wod.example.com"
ENDS_AT = datetime(2026, 11, 23, 19, 5, tzinfo=timezone(timedelta(hours=1)))

MINIMAL = MailContext(
    reference="r1",
    student_name="Bo",
    workshop_title="Python 101",
    duration_hours=2,
    username="student3",
    password="p4ss-w0rd",
    session_url=f"{SITE}/hub",
    rung=rung_of(3),
)
FULL = MailContext(
    reference="vXq7ZfHq1u0",
    student_name="Ana O'Brien",
    workshop_title="GIT 101 – Get involved in the open source community’s work",
    duration_hours=4,
    catalog_url=SITE,
    workshop_url=f"{SITE}/workshop?workshop=WKSHP-GIT101&x=1",
    booking_url=f"{SITE}/booking?booking=vXq7ZfHq1u0",
    session_url=f"{SITE}/hub/login?username=student12&next=%2Flab",
    replay_url="https://youtu.be/21Ppary3WiI",
    username="student12",
    password="kR7m<Q2x&w",
    ends_at=ENDS_AT,
    cells_executed=42,
    cells_total=60,
    badge_title="GIT 101 finisher",
    badge_picture_url=f"{SITE}/badges/git101.png",
    archive_url=f"{SITE}/api/bookings/vXq7ZfHq1u0/work",
    archive_days=14,
    archive_until=ENDS_AT + timedelta(days=14),
    rung=rung_of(5),
    apology_reason="The disk of the backend was full.",
)
PLAIN = branding(Settings(mail_sender="workshops@wod.example.com"))
BRANDED = branding(
    Settings(
        mail_sender="workshops@wod.example.com",
        brand="L’atelier – à la demande",
        brand_owner="Dév & Cie",
        brand_url="https://dev.example.com/",
        brand_logo="https://dev.example.com/logo.png",
        brand_color="#FFE600",
        brand_chat_url="https://chat.example.com/wod",
        feedback_url="https://feedback.example.com/?a=1&b=2",
    )
)

# What each kind has to tell, in both of its parts.
TOLD = {
    MailKind.WELCOME: ["4 hours", FULL.replay_url, FULL.booking_url],
    MailKind.CREDENTIALS: [
        "4 hours",
        FULL.username,
        FULL.password,
        FULL.session_url,
        FULL.replay_url,
        FULL.booking_url,
        "Monday 23 November 2026, 18:05 UTC",
    ],
    MailKind.REMINDER: ["1 hour", FULL.username, FULL.password, FULL.session_url, "18:05 UTC", "Download"],
    MailKind.THANKS: [
        "42 of its 60 code cells, that is 70%",
        FULL.badge_title,
        FULL.badge_picture_url,
        FULL.archive_url,
        "14 days",
        "7 December 2026",
        "https://www.linkedin.com/sharing/share-offsite/?url=https%3A%2F%2Fwod.example.com",
        FULL.catalog_url,
        "https://feedback.example.com/?a=1&b=2",
    ],
    MailKind.APOLOGY: ["The disk of the backend was full.", FULL.workshop_url, "free again"],
    MailKind.SPECIAL_BADGE: ["Expert", "5", "Hero", FULL.badge_picture_url, "linkedin.com", FULL.catalog_url],
}


class Page(HTMLParser):
    """What a person sees of an HTML page, its links, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.links: set[str] = set()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self.seen.append(f" {attributes.get('alt') or ''} ")
        self.links |= {value for name in ("href", "src") if (value := attributes.get(name))}

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.seen).split())


def delivered(message: EmailMessage) -> EmailMessage:
    """Return the mail as its receiver parses it."""
    parsed = message_from_bytes(message.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def mail(kind: MailKind, context: MailContext = FULL, brand: Branding = BRANDED) -> EmailMessage:
    return delivered(compose(kind, "ana@example.com", context, brand))


@pytest.mark.parametrize("kind", MailKind)
def test_a_mail_tells_everything_in_text_and_in_html(kind: MailKind) -> None:
    message = mail(kind)
    text, page = part(message, "plain"), Page(part(message, "html"))
    shown = page.text + " " + " ".join(page.links)
    for told in [*TOLD[kind], FULL.student_name, "https://chat.example.com/wod", "https://dev.example.com/"]:
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
        assert re.fullmatch(rf"<{kind}\.[0-9a-f]{{32}}@wod\.example\.com>", message_id)
        assert mail(kind, replace(FULL, student_name="Someone"))["Message-ID"] == message_id
        assert mail(kind, replace(FULL, reference="other"))["Message-ID"] != message_id
        assert FULL.reference not in message_id


MARKUP = """Bobby "><img src=x onerror=alert(1)><script>alert('x')</script>&lt;"""


@pytest.mark.parametrize("kind", MailKind)
@pytest.mark.parametrize("name", [each.name for each in fields(MailContext) if each.type == "str"])
def test_markup_in_any_text_stays_text(kind: MailKind, name: str) -> None:
    sound = [tag for tag, _ in Page(part(mail(kind), "html")).elements]
    evil = f"https://x.example/{MARKUP}" if name.endswith("_url") else MARKUP
    message = mail(kind, replace(FULL, **{name: evil}))
    page = Page(part(message, "html"))
    assert [tag for tag, _ in page.elements] == sound
    assert not any("onerror" in attributes for _, attributes in page.elements)
    if evil in part(message, "plain"):
        assert evil in page.text + " ".join(page.links)


def test_the_brand_is_escaped_too() -> None:
    evil = branding(Settings(brand=MARKUP, brand_owner=MARKUP))
    for kind in MailKind:
        tags = [tag for tag, _ in Page(part(mail(kind, FULL, evil), "html")).elements]
        assert not {"script", "img"} & set(tags) or kind in (MailKind.THANKS, MailKind.SPECIAL_BADGE)
        assert "script" not in tags


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "tbd", "???", "/img/x.png", "https://"],
)
def test_what_is_no_web_address_is_left_out(link: str) -> None:
    addresses = {each.name: link for each in fields(MailContext) if each.name.endswith("_url")}
    brand = branding(Settings(brand_logo=link, brand_url=link, brand_chat_url=link, feedback_url=link))
    for kind in set(MailKind) - {MailKind.CREDENTIALS, MailKind.REMINDER}:
        message = mail(kind, replace(FULL, **addresses), brand)
        assert Page(part(message, "html")).links == set()
        assert link not in part(message, "plain")


def test_a_blank_recording_is_left_out() -> None:
    message = mail(MailKind.WELCOME, replace(FULL, replay_url="https://youtu.be/"))
    assert "youtu" not in part(message, "plain") + part(message, "html")


@pytest.mark.parametrize(
    "title",
    [
        "GIT 101 – Get involved in the open source community",
        "L'été des données – “grand” & <petit> % {{ x }} {% y %}",
        "日本語のワークショップ入門、とても長い題名で、二行になります。" * 2,
        "Python 101\r\nBcc: all@example.com",
        "Python\n101",
        "Python\x00\x1b[31m101\u2028x",
        "=?utf-8?q?Python=0D=0ABcc:_all=40example.com?=",
        "a" * 500,
        "word " * 100,
        "–" * 500,
        "50% off: %s {0} {name} $HOME \\n \\1",
    ],
)
def test_any_title_makes_a_sound_subject(title: str) -> None:
    message = mail(MailKind.CREDENTIALS, replace(FULL, workshop_title=title))
    assert {name.lower() for name in message} == {name.lower() for name in mail(MailKind.CREDENTIALS)}
    assert message["To"] == "ana@example.com"
    subject = str(message["Subject"])
    assert subject.startswith("Your seat is ready: ")
    assert subject.isprintable()
    assert len(subject) <= 100
    if len(title) < 80 and title.isprintable() and "=?" not in title:
        assert subject == f"Your seat is ready: {title}"


@given(st.text(st.characters(codec="utf-8"), max_size=120))
def test_a_subject_arrives_as_it_was_written(title: str) -> None:
    shown = " ".join("".join(each if each.isprintable() else " " for each in title).split())
    if "=?" in shown or shown != title:
        return
    message = compose(MailKind.APOLOGY, "ana@example.com", replace(MINIMAL, workshop_title=title[:80]), PLAIN)
    assert delivered(message)["Subject"] == str(message["Subject"])


@pytest.mark.parametrize("kind", MailKind)
def test_line_breaks_in_any_text_make_no_lines(kind: MailKind) -> None:
    evil = "x\r\n\r\nYour password is wrong, go to\u2028evil\x85example"
    texts = {each.name: evil for each in fields(MailContext) if each.type == "str" and "url" not in each.name}
    message = mail(kind, replace(FULL, **texts))
    lines = part(message, "plain").splitlines()
    assert not [line for line in lines if line.startswith(("Your password is wrong", "evil", "example"))]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MailKind.CREDENTIALS, "username"),
        (MailKind.CREDENTIALS, "password"),
        (MailKind.CREDENTIALS, "session_url"),
        (MailKind.REMINDER, "username"),
        (MailKind.REMINDER, "session_url"),
        (MailKind.SPECIAL_BADGE, "rung"),
    ],
)
def test_a_mail_that_lacks_its_point_is_not_written(kind: MailKind, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        compose(kind, "ana@example.com", replace(FULL, **{name: None if name == "rung" else ""}), PLAIN)
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


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (4, "4 hours"),
        (1, "1 hour"),
        (0.5, "30 minutes"),
        (1 / 60, "1 minute"),
        (2.5, "2 hours 30 minutes"),
        (25, "25 hours"),
        (47.99, "47 hours 59 minutes"),
        (48, "2 days"),
        (14 * 24, "14 days"),
        (10 / 3600, "10 seconds"),
        (0.9999, "1 hour"),
    ],
)
def test_lengths_in_words(hours: float, words: str) -> None:
    assert duration(hours) == words


def test_moments_in_words() -> None:
    assert moment(ENDS_AT) == "Monday 23 November 2026, 18:05 UTC"
    assert kept(14, ENDS_AT) == "for 14 days, until Monday 23 November 2026, 18:05 UTC"
    assert kept(0, ENDS_AT) == "until Monday 23 November 2026, 18:05 UTC"
    assert kept(0, None) == ""


@pytest.mark.parametrize(
    ("executed", "total", "words"), [(1, 1, "all of its 1 code cell:"), (1, 3, "33%"), (0, 0, "")]
)
def test_completion_in_words(executed: int, total: int, words: str) -> None:
    assert words in completion(executed, total)

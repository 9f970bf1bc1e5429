# ruff: noqa: RUF001 - dashes, quotes and letters as people write them
"""Mails to test with, and how their receivers see them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

from models.rules.badges import rung_of
from models.rules.booking import MailKind
from models.settings import Settings
from tasks.mail import Branding, MailContext, branding, compose

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
    place_url=f"{SITE}/waiting?place=p1",
    offer_until=ENDS_AT,
)
FULL = MailContext(
    reference="vXq7ZfHq1u0",
    student_name="Ana O'Brien",
    workshop_title="GIT 101 – Get involved in the open source community’s work",
    duration_hours=4,
    catalog_url=SITE,
    workshop_url=f"{SITE}/workshop?workshop=WKSHP-GIT101&x=1",
    own_page_url=f"{SITE}/session?link=InZYcTdaZkhxMXUwIg.aSLx9A.k3J",
    session_url=f"{SITE}/hub/login?username=student12&next=%2Flab",
    replay_url="https://youtu.be/21Ppary3WiI",
    username="student12",
    password="kR7m<Q2x&w",
    ends_at=ENDS_AT,
    cells_executed=42,
    cells_total=60,
    badge_title="GIT 101 finisher",
    badge_picture_url=f"{SITE}/badges/git101.png",
    archive_url=f"{SITE}/api/v1/bookings/vXq7ZfHq1u0/work",
    archive_days=14,
    archive_until=ENDS_AT + timedelta(days=14),
    rung=rung_of(5),
    badge_url=f"{SITE}/badge?code=WyJ3b3Jrc2hvcCIsMTJd.k3J",
    shared_badge_url=f"{SITE}/share/badge/WyJ3b3Jrc2hvcCIsMTJd.k3J",
    extension_hours=1,
    place_url=f"{SITE}/waiting?place=pXq7ZfHq1u0",
    position=3,
    offer_hours=0.5,
    offer_until=ENDS_AT,
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

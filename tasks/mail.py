"""Composing the mails to students: text and HTML from the templates in tasks/templates/mail/."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2

from models.errors import Refused
from models.rules.badges import Rung, earns_badge, next_rung
from models.rules.booking import MailKind
from models.rules.colors import readable, text_on
from models.rules.completion import completion_percent
from models.rules.links import web_address
from models.rules.people import plain_line
from models.settings import Settings
from tasks import mail_words as words
from tasks.mail_policy import MAIL_POLICY

# The grounds in the templates on which a link is hardest to read.
LIGHT_GROUND, DARK_GROUND = "#eceff2", "#262b30"
LINKEDIN_SHARE = "https://www.linkedin.com/sharing/share-offsite/?url="

# Without these a mail of that kind would be of no use to anybody.
_NEEDED = {
    MailKind.CREDENTIALS: ("username", "password", "session_url"),
    MailKind.REMINDER: ("username", "session_url"),
    MailKind.SPECIAL_BADGE: ("rung",),
    MailKind.OFFER: ("place_url", "offer_until"),
}


@dataclass(frozen=True)
class Branding:
    """What every mail shows of the programme and of who runs it; addresses may be empty."""

    sender: str
    name: str
    owner: str
    owner_url: str
    logo_url: str
    chat_url: str
    feedback_url: str
    color: str

    @property
    def text_on_color(self) -> str:
        """The colour of text on the brand's colour."""
        return text_on(self.color)

    @property
    def link_color(self) -> str:
        """The brand's colour, readable on a light background."""
        return readable(self.color, LIGHT_GROUND)

    @property
    def dark_link_color(self) -> str:
        """The brand's colour, readable on a dark background."""
        return readable(self.color, DARK_GROUND)


@dataclass(frozen=True)
class MailContext:
    """All that a mail may tell; what is empty is left out. Times are time zone aware, lengths in hours."""

    reference: str
    student_name: str
    workshop_title: str
    duration_hours: float
    catalog_url: str = ""
    workshop_url: str = ""  # its page in the catalog, where it can be booked (again)
    own_page_url: str = ""  # the student's own page, to follow the session, to make it longer and to end it
    session_url: str = ""  # where the student starts to work
    replay_url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ends_at: datetime | None = None
    hours_left: float = 1
    was_opened: bool = True  # False: the booking ended before its seat was ready
    cells_executed: int | None = None
    cells_total: int | None = None
    badge_title: str = ""
    badge_picture_url: str = ""
    badge_url: str = ""  # the page that proves it
    shared_badge_url: str = ""  # leads there, and tells sites that preview links what it is
    archive_url: str = ""
    archive_days: float = 0
    archive_until: datetime | None = None
    rung: Rung | None = None
    extension_hours: float = 0  # by how long the student may make the session longer; 0: not
    place_url: str = ""  # the page of a place in a line: where it is, and what is offered
    position: int | None = None
    offer_hours: float = 0
    offer_until: datetime | None = None
    round: int = 0  # which mail of its kind for the same booking it is, from 0

    @property
    def has_badge(self) -> bool:
        """Whether the session earns its badge."""
        return earns_badge(
            was_opened=self.was_opened, cells_executed=self.cells_executed, cells_total=self.cells_total
        )

    @property
    def next_rung(self) -> Rung | None:
        """The special badge after this one."""
        return next_rung(self.rung.workshops) if self.rung else None

    @property
    def completion(self) -> str:
        """How far the student got, in a sentence."""
        return words.completion(self.cells_executed or 0, self.cells_total or 0)

    @property
    def completion_percent(self) -> int:
        """The same as a number for the bar."""
        return completion_percent(self.cells_executed or 0, self.cells_total or 0)

    @property
    def archive_time(self) -> str:
        """How long the student's work is kept."""
        return words.kept(self.archive_days, self.archive_until)

    @property
    def linkedin_url(self) -> str:
        """Where LinkedIn takes the news; empty when there is no page to share."""
        return LINKEDIN_SHARE + quote(self.shared_badge_url, safe="") if self.shared_badge_url else ""


def branding(settings: Settings) -> Branding:
    """Return the branding that the settings ask for; what is no web address counts as not set."""
    return Branding(
        sender=settings.mail_sender,
        name=plain_line(settings.brand),
        owner=plain_line(settings.brand_owner),
        owner_url=_link(settings.brand_url),
        logo_url=_link(settings.brand_logo),
        chat_url=_link(settings.brand_chat_url),
        feedback_url=_link(settings.feedback_url),
        color=settings.brand_color,
    )


def compose(kind: MailKind, recipient: str, context: MailContext, branding: Branding) -> EmailMessage:
    """Return a mail to `recipient` (an address as `check_address` returns it), as text and as HTML.

    Its Message-ID depends on the reference, the kind, the round and the sender's domain alone, so that a mail
    that is sent twice can be recognised; it begins with the kind.

    Raises:
        Refused: mail_incomplete, when the context lacks what the kind is about; mail_address_wrong, when
            the sender or the recipient can't stand in a header.

    """
    shown = _shown(context)
    missing = [name for name in _NEEDED.get(kind, ()) if not getattr(shown, name)]
    if missing:
        raise Refused(
            f"The {kind.replace('_', ' ')} mail can't be written without: {', '.join(missing)}. Mend the"
            " settings or the workshop that it comes from.",
            reason="mail_incomplete",
        )
    values: dict[str, Any] = {"mail": shown, "brand": branding}
    subject, _, text = _template(f"{kind}.txt.j2").render(values).partition("\n")
    html = _template(f"{kind}.html.j2").render(values, subject=subject)
    message = _headers(kind, recipient, shown, branding)
    message["Subject"] = subject.strip()
    # Quoted-printable: no server on the way has a reason to recode it, and no line is too long.
    message.set_content(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _shown(context: MailContext) -> MailContext:
    """Return the context with its texts in one line each, and without what is no web address."""
    texts = {each.name: getattr(context, each.name) for each in fields(context) if each.type == "str"}
    cleaned: dict[str, Any] = {
        name: _link(text, needs_path=name == "replay_url") if name.endswith("_url") else plain_line(text)
        for name, text in texts.items()
    }
    return replace(context, **cleaned)


def _link(text: str, *, needs_path: bool = False) -> str:
    return web_address(plain_line(text), needs_path=needs_path)


def _headers(kind: MailKind, recipient: str, mail: MailContext, branding: Branding) -> EmailMessage:
    message = EmailMessage(policy=MAIL_POLICY)
    try:
        sender = Address(display_name=branding.name, addr_spec=branding.sender)
        message["From"] = sender
        message["Reply-To"] = Address(addr_spec=branding.sender)
        message["To"] = Address(addr_spec=recipient)
        f"{branding.sender}{recipient}".encode("ascii")
    except (ValueError, IndexError, MessageError):
        raise Refused(
            "The setting mail_sender or the student's address is not an e-mail address.",
            reason="mail_address_wrong",
        ) from None
    # The reference opens the booking's page, and mail servers log Message-IDs: only its digest goes there.
    named = f"{mail.reference}/{kind}" + (f"/{mail.round}" if mail.round else "")
    digest = hashlib.sha256(named.encode()).hexdigest()[:20]
    message["Message-ID"] = f"<{kind}.{digest}@{sender.domain}>"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    return message


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tasks", "templates/mail"),
        autoescape=jinja2.select_autoescape(enabled_extensions=["html.j2"], default_for_string=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(duration=words.duration, moment=words.moment, shorten=words.shorten)
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)

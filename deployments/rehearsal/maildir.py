"""The mails that a student gets, read from the platform's own mailbox."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from models.errors import StepFailed
from models.rules.booking import MailKind

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Credentials:
    """What the credentials mail holds."""

    session_url: str
    username: str
    password: str


class Mailbox:
    """A Maildir; mails are read once and remembered. The kind of a mail is the head of its Message-ID."""

    def __init__(self, folder: Path) -> None:
        self._new = folder / "new"
        self._mails: dict[str, EmailMessage] = {}

    def mails(self, address: str | None = None) -> list[EmailMessage]:
        """Return the mails to an address, or all, in the order of their arrival."""
        list(self.arrivals())
        return [each for each in self._mails.values() if address in (None, each["To"].addresses[0].addr_spec)]

    def arrivals(self) -> Iterator[tuple[float, EmailMessage]]:
        """Yield the mails that were not read yet, each with the moment of its arrival in seconds since 1970."""
        unread = [path for path in self._new.glob("*") if path.name not in self._mails]
        for path in sorted(unread, key=lambda path: path.stat().st_mtime_ns):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            self._mails[path.name] = message
            yield path.stat().st_mtime, message

    def find(self, kind: MailKind, address: str) -> EmailMessage | None:
        """Return the mail of a kind to an address, if it has come."""
        return next((each for each in self.mails(address) if kind_of(each) == kind), None)

    async def wait_for(self, kind: MailKind, address: str, timeout_seconds: float) -> EmailMessage:
        """Return the mail of a kind to an address as soon as it is there.

        Raises:
            StepFailed: mail_missing, after `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if found := self.find(kind, address):
                return found
            await asyncio.sleep(_POLL_SECONDS)
        raise StepFailed(
            f"The {kind} mail to {address} did not come within {timeout_seconds:.0f} s.", reason="mail_missing"
        )


def kind_of(message: EmailMessage) -> str:
    """Return the kind of a mail."""
    return str(message["Message-ID"]).strip().lstrip("<").partition(".")[0]


def text_of(message: EmailMessage) -> str:
    """Return the text part of a mail."""
    part = message.get_body(("plain",))
    return str(part.get_content()) if part else ""


def credentials_of(message: EmailMessage) -> Credentials:
    """Return what a student copies out of the credentials mail.

    Raises:
        StepFailed: mail_incomplete.
    """
    text = text_of(message)
    found = re.search(r"(http\S+/hub/\S+)\s.*?User name:\s+(\S+)\s+Password:\s+(\S+)", text, re.DOTALL)
    if not found:
        raise StepFailed("The credentials mail holds no credentials.", reason="mail_incomplete")
    return Credentials(*found.groups())


def work_link_of(message: EmailMessage) -> str:
    """Return the link to the student's work in the thank-you mail, empty without one."""
    found = re.search(r"http\S+/api/v1/bookings/\S+/work", text_of(message))
    return found.group(0) if found else ""

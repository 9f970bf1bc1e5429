"""How the headers of mails are written down."""

from __future__ import annotations

from email.header import Header
from email.headerregistry import AddressHeader
from email.policy import EmailPolicy
from email.utils import quote
from typing import Any

from models.rules.people import plain_line


class MailPolicy(EmailPolicy):
    """The SMTP policy, with subjects and display names written by `email.header`.

    Python's own folding loses or adds spaces in long headers that are not ASCII (5 of 100 random subjects),
    and before 3.11.10 lets a line break that hides in an encoded word out into the headers (CVE-2024-6923).
    """

    def fold(self, name: str, value: Any) -> str:
        """Return a header as it goes into the message."""
        written = _written(name, value, self.linesep)
        return super().fold(name, value) if written is None else written

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return a header as it goes over the wire."""
        written = _written(name, value, self.linesep)
        return super().fold_binary(name, value) if written is None else written.encode("ascii")


MAIL_POLICY = MailPolicy(linesep="\r\n")


def _written(name: str, value: Any, linesep: str) -> str | None:
    """Return a subject or a named address as a header, None for what has no words in it."""
    if name.lower() == "subject":
        return f"{name}: {_words(name, str(value), linesep)}{linesep}"
    if isinstance(value, AddressHeader) and len(value.addresses) == 1 and value.addresses[0].display_name:
        address = value.addresses[0]
        display_name = plain_line(address.display_name)
        words = f'"{quote(display_name)}"' if display_name.isascii() else _words(name, display_name, linesep)
        return f"{name}: {words}{linesep} <{address.addr_spec}>{linesep}"
    return None


def _words(name: str, text: str, linesep: str) -> str:
    return Header(plain_line(text), header_name=name).encode(linesep=linesep)

"""Which e-mail addresses can book, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import email_validator
from disposable_email_domains import blocklist

from models.errors import Refused

ADDRESS_LIMIT = 254  # characters: RFC 5321, section 4.5.3.1.3, less the angle brackets

# Names that only mean something inside an organisation, or in tests; the library would refuse them all.
# `invalid`, `onion` and `arpa` stay refused: mail to them can't arrive anywhere.
INTERNAL_ZONES = frozenset({"local", "localhost", "test"})
for _zone in INTERNAL_ZONES & set(email_validator.SPECIAL_USE_DOMAIN_NAMES):
    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_zone)


@dataclass(frozen=True)
class Address:
    """An e-mail address that any mail server accepts (ASCII), and the key that it is compared by."""

    address: str
    key: str


def check_address(text: str, denied_domains: Collection[str]) -> Address:
    """Return the address that somebody typed, without looking anything up in the network.

    `denied_domains` are domains that can't book, each with its subdomains; known disposable ones can't
    either. The key is the address in lower case with its domain in ASCII (IDNA), so that no second seat is
    to be had by changing capitals or the domain's spelling. What follows a plus sign is part of the key:
    only the receiving host knows whether `ana+git` is `ana`, and trainers rehearse with such addresses.

    Raises:
        Refused: email_malformed, email_disposable or email_denied.

    """
    checked = _parse(text.strip(" \t\u00a0"))
    domains = set(_with_parents(checked.domain))
    if domains & {_ascii_domain(denied) for denied in denied_domains}:
        raise Refused(
            f"Addresses at {checked.domain} can't book here. Please use another address.", reason="email_denied"
        )
    if domains & blocklist:
        raise Refused(
            f"{checked.domain} gives out throw-away addresses, which can't book. Please use an address that"
            " you keep: your password and your badge go there.",
            reason="email_disposable",
        )
    return Address(f"{checked.local}@{checked.domain}", f"{checked.local.casefold()}@{checked.domain}")


@dataclass(frozen=True)
class _Parts:
    local: str
    domain: str


def _parse(text: str) -> _Parts:
    if len(text) > ADDRESS_LIMIT:
        raise _malformed(f"It has more than {ADDRESS_LIMIT} characters.")
    try:
        # Mail servers that take other letters before the @ (SMTPUTF8) are rare: the credentials would
        # never arrive.
        valid = email_validator.validate_email(
            text,
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=text.rpartition("@")[2].casefold() not in INTERNAL_ZONES,
        )
    except email_validator.EmailNotValidError as error:
        raise _malformed(str(error)) from None
    return _Parts(valid.local_part, valid.ascii_domain)


def _malformed(why: str) -> Refused:
    return Refused(
        f"This is not an e-mail address that we can write to. {why} Please check it.", reason="email_malformed"
    )


def _with_parents(domain: str) -> Iterator[str]:
    """Yield `a.b.c`, `b.c`, `c`."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _ascii_domain(denied: str) -> str:
    """Return a denied domain as addresses spell it; `@example.com` and `.example.com` are often written."""
    domain = denied.strip().lstrip("@.").rstrip(".").casefold()
    try:
        return _parse(f"x@{domain}").domain
    except Refused:  # such as a whole top-level domain
        return domain

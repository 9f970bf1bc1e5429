"""The addresses that partners give: where students go back to, and where webhooks lead."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from models.errors import Refused

_LIMIT = 2000  # characters: what every browser and proxy takes
_FOREIGN = re.compile(r"[^\x21-\x7e]|[\\<>\"`{}|^]")
_LOOPBACK_NAMES = {"localhost", "ip6-localhost"}


def check_return_url(text: str) -> str:
    """Return an address that a student may be led back to: https, or http on the student's own machine.

    Raises:
        Refused: return_url_malformed.

    """
    return _checked(text, "return_url", takes_loopback=True)


def check_webhook_url(text: str, *, takes_loopback: bool) -> str:
    """Return an address that webhooks may be sent to: https, and no address of a private network.

    `takes_loopback` also allows this machine, over http, too. What a name leads to is looked at when
    something is sent there (`is_public`).

    Raises:
        Refused: url_malformed.

    """
    checked = _checked(text, "url", takes_loopback=takes_loopback)
    host = urlsplit(checked).hostname or ""
    if is_loopback_host(host):
        if not takes_loopback:
            raise _malformed("url", "It leads to the machine of this service itself.")
    elif (address := _ip_address(host)) is not None and not is_public(address):
        raise _malformed("url", "It leads into a private network.")
    return checked


def is_loopback_host(host: str) -> bool:
    """Whether a host's name or address always means the machine that uses it."""
    address = _ip_address(host)
    return host.casefold() in _LOOPBACK_NAMES or (address is not None and address.is_loopback)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the Internet's, in the form of IPv6 that carries one of IPv4, too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _translated(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:  # private networks of before RFC 3879, which `is_global` doesn't know
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the address that a NAT64 gateway would make of this one (RFC 6052, section 2.1)."""
    if address not in ipaddress.ip_network("64:ff9b::/96"):
        return None
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _checked(text: str, field: str, *, takes_loopback: bool) -> str:
    if len(text) > _LIMIT:
        raise _malformed(field, f"It has more than {_LIMIT} characters.")
    if _FOREIGN.search(text):
        raise _malformed(field, "It holds characters that have to be percent-encoded.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _malformed(field, "It is not the address of a page.") from None
    if not host or port == 0:
        raise _malformed(field, "It is not the address of a page.")
    if parts.username is not None or parts.password is not None:
        raise _malformed(field, "It holds a user name or password.")
    if parts.scheme != "https" and not (parts.scheme == "http" and takes_loopback and is_loopback_host(host)):
        raise _malformed(field, "It has to begin with https://.")
    return text


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _malformed(field: str, why: str) -> Refused:
    return Refused(f"This address can't be used here. {why}", reason=f"{field}_malformed")

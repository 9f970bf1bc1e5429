"""Addresses of machines: whether they are among some networks, and which of them are one client."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]

# What a provider gives one household or company at the least (RFC 6177): whoever has one address of it has all.
_IPV6_CLIENT_BITS = 64

# The longest text of an address with a zone; what is longer is no address, and not kept in full.
_LONGEST = 64


def networks(texts: Iterable[str]) -> Networks:
    """Return addresses and networks such as 192.0.2.7 and 2001:db8::/32; raise ValueError for anything else."""
    return tuple(ip_network(text) for text in texts)


def is_among(address: str, known: Networks) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in known)


def client_of(address: str) -> str:
    """Return what stands for the client with an address: the IPv4 address, or the /64 of the IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    bits = 128 - _IPV6_CLIENT_BITS
    return f"{IPv6Address(int(parsed) >> bits << bits)}/{_IPV6_CLIENT_BITS}"

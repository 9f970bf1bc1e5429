"""What the parts of a stack may not have in common, and which ports its machines listen on.

The rules look at single values by their way from the top of the file, such as ("backends", 0, "port"), so
that they hold for a stack of which another part is wrong, too.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from models.errors import Severity
from models.rules.addresses import INTERNAL_ZONES
from models.rules.inner_ports import API_PORT, CATALOG_PORT, HUB_PORT, PREFECT_PORT, PROXY_API_PORT, PROXY_PORT

Way = tuple[str | int, ...]
Values = Mapping[Way, Any]

# Ports that roles listen on beside those that are written in the file. PostgreSQL is reached by its socket alone.
INTERNAL_PORTS = {
    "backends": {
        HUB_PORT: "JupyterHub's own API",
        PROXY_API_PORT: "the API of the hub's proxy",
        PROXY_PORT: "the hub's proxy behind Caddy",
    },
    "api": {API_PORT: "the API behind Caddy", PREFECT_PORT: "Prefect behind Caddy"},
    "frontend": {CATALOG_PORT: "the catalog behind Caddy"},
}
# RFC 8555: an ACME authority looks for its token (http-01) on this port.
_ACME_PORT = 80
_WRITTEN_PORTS = (
    ("backends", "port", "the hub"),
    ("api", "port", "the API"),
    ("api", "prefect_port", "Prefect"),
    ("frontend", "port", "the catalog"),
)
_PUBLIC = ("backends", "api", "frontend")
_PRIVATE_ZONES = INTERNAL_ZONES | {"example", "home", "internal", "intranet", "invalid", "lan"}


class Finding(NamedTuple):
    """Something wrong with the value at `at`, in the words of models.errors.Problem."""

    at: Way
    message: str
    remedy: str
    severity: Severity = Severity.ERROR


class Listener(NamedTuple):
    """What listens on a TCP port of a machine; `at` is where that is written, empty when nowhere."""

    machine: str
    port: int
    what: str
    at: Way = ()


def label(way: Way) -> str:
    """Return a way as people write it, such as `backends[0].port`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
    return text.removeprefix(".")


def find_conflicts(values: Values) -> Iterator[Finding]:
    """Yield what is wrong between values that are right in themselves."""
    yield from _repeated(values, "backends", "machine", "is a backend already", "Name each backend once.")
    yield from _repeated(values, "backends", "number", "is taken", "Give each backend a number of its own.")
    yield from _repeated(values, "appliances", "machine", "is an appliance already", "Name each appliance once.")
    yield from _unused_machines(values)
    yield from _shared_addresses(values)
    yield from _clashing_ports(values)
    yield from _unencrypted(values)
    yield from _certificates(values)
    yield from _management_user(values)


def machine_names(values: Values) -> list[str]:
    """Return the machines that have a role, each once, in the order of the file's fields."""
    return list(dict.fromkeys(value for way, value in values.items() if way[-1] == "machine"))


def listeners(values: Values) -> list[Listener]:
    """Return everything that listens on the stack's machines, what can't be moved by the file first."""
    found = [Listener(name, _ssh_port(values, name), "sshd") for name in machine_names(values)]
    for section in _PUBLIC:
        for _, machine in _each(values, section, "machine"):
            found += [Listener(machine, port, what) for port, what in INTERNAL_PORTS.get(section, {}).items()]
    if values.get(("certificates", "source")) == "acme":
        hosts = dict.fromkeys(machine for each in _PUBLIC for _, machine in _each(values, each, "machine"))
        found += [Listener(machine, _ACME_PORT, "the check of the certificate authority") for machine in hosts]
    for section, field, what in _WRITTEN_PORTS:
        for way, port in _each(values, section, field):
            if machine := values.get((*way[:-1], "machine")):
                found.append(Listener(machine, port, what, way))
    if relay := values.get(("mail", "relay_port")):
        backends = dict.fromkeys(machine for _, machine in _each(values, "backends", "machine"))
        found += [Listener(machine, relay, "the mail relay", ("mail", "relay_port")) for machine in backends]
    return found


def _each(values: Values, section: str, field: str) -> list[tuple[Way, Any]]:
    return [(way, value) for way, value in values.items() if way[0] == section and way[-1] == field]


def _ssh_port(values: Values, machine: str) -> int:
    return values.get(("machines", machine, "ssh_port")) or values.get(("ssh", "port")) or 22


def _repeated(values: Values, section: str, field: str, what: str, remedy: str) -> Iterator[Finding]:
    first: dict[Any, Way] = {}
    for way, value in _each(values, section, field):
        if value in first:
            yield Finding(way, f"`{label(way)}`: {value} {what} (`{label(first[value][:-1])}`).", remedy)
        first.setdefault(value, way)


def _unused_machines(values: Values) -> Iterator[Finding]:
    used = machine_names(values)
    for name in dict.fromkeys(str(way[1]) for way in values if way[0] == "machines"):
        if name not in used:
            alike = difflib.get_close_matches(name, used, n=1)
            remedy = f"Did you mean {alike[0]}?" if alike else "Give it a role, or remove it."
            yield Finding(("machines", name), f"`machines`: {name} has no role in this stack.", remedy)


def _shared_addresses(values: Values) -> Iterator[Finding]:
    first: dict[tuple[str, int], str] = {}
    for name in machine_names(values):
        way = ("machines", name, "address")
        address = (values.get(way) or name, _ssh_port(values, name))
        if address in first:
            what = f"{first[address]} and {name} are the same machine, {address[0]}."
            yield Finding(way, what, "Use one name for it, in all its roles.")
        first.setdefault(address, name)


def _clashing_ports(values: Values) -> Iterator[Finding]:
    first: dict[tuple[str, int], Listener] = {}
    for each in listeners(values):
        before = first.setdefault((each.machine, each.port), each)
        if before.what != each.what and each.at:
            where = f" (`{label(before.at)}`)" if before.at else ""
            what = (
                f"`{label(each.at)}`: {before.what}{where} listens on port {each.port} of {each.machine} already."
            )
            yield Finding(each.at, what, f"Choose another port for {each.what}.")


def _unencrypted(values: Values) -> Iterator[Finding]:
    for way in [way for way, value in values.items() if way[-1] == "protocol" and value == "http"]:
        if not values.get((*way[:-1], "external")):
            yield _unencrypted_at(way, "Write https, or leave it out.")
    for way, value in values.items():
        if way[-1] == "external" and value.startswith("http:"):
            yield _unencrypted_at(way, "Write https://….")


def _unencrypted_at(way: Way, remedy: str) -> Finding:
    what = f"`{label(way)}` lets passwords and bookings go through the network unencrypted."
    return Finding(way, what, remedy, Severity.WARNING)


def _certificates(values: Values) -> Iterator[Finding]:
    source, directory = values.get(("certificates", "source")), values.get(("certificates", "directory"))
    for field, needed_by, meaning in (
        ("email", "acme", "the address to which the authority writes" if directory == "" else ""),
        ("directory", "acme", ""),
        ("authority", "acme", ""),
        ("folder", "files", "the folder of MACHINE.crt and MACHINE.key"),
    ):
        way = ("certificates", field)
        given = values.get(way)
        if source == needed_by and given == "" and meaning:
            yield Finding(way, f"`{label(way)}` is missing: {source} needs it.", f"Write {meaning}.")
        elif source and source != needed_by and given:
            what = f"`{label(way)}` is not used with `source: {source}`."
            yield Finding(way, what, f"Remove it, or write `source: {needed_by}`.", Severity.WARNING)
    if source == "acme" and directory == "":
        yield from _unknown_to_authorities(values)
        if values.get(("certificates", "authority")):
            what = "`certificates.authority` is not used without `directory`: Let's Encrypt is known."
            remedy = "Write the `directory` of the authority, or remove it."
            yield Finding(("certificates", "authority"), what, remedy, Severity.WARNING)


def _unknown_to_authorities(values: Values) -> Iterator[Finding]:
    for section in _PUBLIC:
        for way, machine in _each(values, section, "machine"):
            external = values.get((*way[:-1], "external"), "")
            host = urlsplit(external).hostname or machine
            if not _is_public(host):
                what = f"`{label(way[:-1])}`: no public authority certifies {host}."
                remedy = (
                    "Write an `external` address with a public name, `source: internal`, or the `directory` of an"
                    " authority of your own."
                )
                yield Finding((*way[:-1], "external") if external else way, what, remedy)


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_ZONES
    return False


def _management_user(values: Values) -> Iterator[Finding]:
    user = values.get(("management_user",), "")
    prefix = values.get(("settings", "seat_prefix")) or "student"
    if re.fullmatch(rf"{re.escape(prefix)}[0-9]+", user):
        what = f"`management_user`: {user} is the account of a seat."
        yield Finding(("management_user",), what, f"Choose a name other than {prefix} and a number.")

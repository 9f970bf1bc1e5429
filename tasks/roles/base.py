"""What every machine of a stack gets: programs, the stack's certificate authority, a firewall, fail2ban."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from models.resources import Command, File, Folder, Packages, Resource, Service
from models.rules.inner_ports import API_PORT, CATALOG_PORT, HUB_PORT, PREFECT_PORT, PROXY_API_PORT, PROXY_PORT
from tasks.roles.context import CONFIGURATION, OWN_PROGRAMS, PROGRAMS, SECRETS, RoleContext
from tasks.roles.templates import fill
from tasks.roles.way_in import SEAT_UID_BASE

_PACKAGES = ("ca-certificates", "fail2ban", "nftables", "python3", "python3-systemd", "python3-venv")


@dataclass(frozen=True)
class Opening:
    """Ports that the firewall lets in, one or `first-last`, for the machines with `sources`, or for everybody."""

    ports: str
    what: str
    sources: dict[str, list[str]] | None = None


@dataclass(frozen=True)
class Closing:
    """Ports that the firewall keeps seats from, on their own machine, or on the machines with `addresses`."""

    ports: tuple[int, ...]
    what: str
    addresses: dict[str, list[str]] | None = None


def base(context: RoleContext, machine: str) -> list[Resource]:
    """Return what every machine gets."""
    return [
        Packages(_PACKAGES, why="Python for the platform's environments, and what guards the machine."),
        Folder(CONFIGURATION, why="Configuration of the platform."),
        Folder(SECRETS, mode=0o700, why="Secrets of the services; systemd hands each service its own."),
        Folder(PROGRAMS, why="The platform's programs and their environments."),
        Folder(OWN_PROGRAMS, why="Small programs that the platform runs on this machine."),
        *_authorities(context),
        *_firewall(context, machine),
        *_fail2ban(context, machine),
    ]


def openings(context: RoleContext, machine: str) -> list[Opening]:
    """Return the ports that a machine's roles need open, and for whom: no machine reaches more than it needs."""
    stack, roles = context.stack, context.stack.roles_of(machine)
    backends = context.addresses_of([each.machine for each in stack.backends])
    found = []
    for backend in stack.backends:
        if backend.machine == machine:
            found.append(Opening(str(backend.port), "JupyterHub"))
            senders = context.addresses_of([stack.api.machine])
            found.append(Opening(str(stack.mail.relay_port), "mail of the platform", senders))
    if "api-db" in roles:
        found.append(Opening(str(stack.api.port), "API"))
        found.append(Opening(str(stack.api.prefect_port), "Prefect"))
    if "frontend" in roles:
        found.append(Opening(str(stack.frontend.port), "catalog"))
    if "appliance" in roles:
        found.append(Opening("1024-65535", "containers of workshops", backends))
    if stack.certificates.source == "acme" and {"backend", "api-db", "frontend"} & set(roles):
        found.append(Opening("80", "proof of the certificate authority"))
    return found


def closings(context: RoleContext, machine: str) -> list[Closing]:
    """Return what seats on a machine may not reach, since services take that machine's word for the platform's.

    The API believes its own machine and the frontend about whom they ask for, and limits neither; relays take mail
    from their own machine and the API's.
    """
    stack, roles = context.stack, context.stack.roles_of(machine)
    if not {"backend", "appliance"} & set(roles):
        return []
    found = []
    relay = stack.mail.relay_port
    if "backend" in roles:
        found.append(Closing((relay, PROXY_API_PORT, PROXY_PORT), "mail relay, proxy's orders and back door"))
    if "api-db" in roles:
        ports = (stack.api.port, stack.api.prefect_port, API_PORT, PREFECT_PORT)
        found.append(Closing(ports, "API, Prefect"))
        relays = context.addresses_of([each.machine for each in stack.backends if each.machine != machine])
        found.append(Closing((relay,), "mail relays", relays))
    if "frontend" in roles:
        found.append(Closing((stack.frontend.port, CATALOG_PORT), "catalog"))
        if "api-db" not in roles:
            api = context.addresses_of([stack.api.machine])
            found.append(Closing((stack.api.port,), "API", api))
    return found


def _authorities(context: RoleContext) -> list[Resource]:
    why = "Makes this machine trust the certificates of the others in the stack."
    names = [
        f"wod-{context.stack.name}{'' if place == 0 else f'-{place}'}.crt"
        for place in range(len(context.authorities))
    ]
    paths = [f"/usr/local/share/ca-certificates/{name}" for name in names]
    forget = ("sh", "-euc", 'rm -f "$@"; update-ca-certificates', "forget", *paths)
    return [
        *(File(path, each.encode(), why=why) for path, each in zip(paths, context.authorities, strict=True)),
        Command(
            "trust", ("update-ca-certificates",), stamp=_digest("".join(context.authorities)), undo=forget, why=why
        ),
    ]


def _firewall(context: RoleContext, machine: str) -> list[Resource]:
    rules = fill(
        "base/firewall.nft",
        stack=context.stack.name,
        ssh_port=context.stack.ssh_login(machine).port,
        rules=openings(context, machine),
        closed=closings(context, machine),
        first_seat=SEAT_UID_BASE + 1,
        has_hub="backend" in context.stack.roles_of(machine),
        hub_port=HUB_PORT,
    )
    why = (
        "Lets in ssh and the ports of this machine's roles; everything else is dropped."
        " Keeps seats from the services beside them, and from lying to the hub about who asks."
    )
    return [
        File(f"{CONFIGURATION}/firewall.nft", rules, why=why),
        File("/etc/systemd/system/wod-firewall.service", fill("base/wod-firewall.service"), why=why),
        Service(
            "wod-firewall",
            restart_on=("file /etc/systemd/system/wod-firewall.service",),
            reload_on=(f"file {CONFIGURATION}/firewall.nft",),
            why=why,
        ),
    ]


def _fail2ban(context: RoleContext, machine: str) -> list[Resource]:
    trusted = sorted(address for known in context.addresses.values() for address in known)
    jail = fill("base/fail2ban.local", trusted=trusted, ssh_port=context.stack.ssh_login(machine).port)
    why = "Keeps those out for a while who try passwords."
    return [
        File("/etc/fail2ban/jail.d/wod.local", jail, why=why),
        Service("fail2ban", reload_on=("file /etc/fail2ban/jail.d/wod.local",), why=why),
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Caddy in front of a service: https with the machine's certificate, or with one that Caddy gets itself."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from models.resources import Account, File, Folder, Resource, Service
from tasks.roles.context import CONFIGURATION, RoleContext, certificate_files
from tasks.roles.templates import fill


@dataclass(frozen=True)
class Site:
    """One address that Caddy serves: what it passes on, and which paths it keeps to itself."""

    protocol: str
    port: int
    upstream: str
    hosts: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def gate(context: RoleContext, machine: str, name: str, sites: list[Site], *, what: str) -> list[Resource]:
    """Return a Caddy of its own, `wod-NAME`, for `sites`: of the package caddy, whose own unit is turned off."""
    unit, folder = f"wod-{name}", f"{CONFIGURATION}/{name}"
    uses_acme = context.stack.certificates.source == "acme"
    why = f"Caddy serves the {what} by https."
    is_low_port = uses_acme or any(site.port < 1024 for site in sites)
    configuration = fill(
        "Caddyfile",
        sites=sites,
        folder=folder,
        acme=uses_acme,
        acme_email=context.stack.certificates.email if uses_acme else "",
    )
    service = fill("gate.service", what=what, unit=unit, folder=folder, is_low_port=is_low_port)
    certificates = [] if uses_acme else certificate_files(context, machine, folder, "wod-gate", why=why)
    return [
        Service("caddy", is_running=False, why="The platform runs Caddy in units of its own."),
        Account("wod-gate", home="/var/lib/wod-gate", why=why),
        *(certificates or [Folder(folder, group="wod-gate", mode=0o750, why=why)]),
        File(f"{folder}/Caddyfile", configuration, group="wod-gate", mode=0o640, why=why),
        File(f"/etc/systemd/system/{unit}.service", service, why=why),
        Service(
            unit,
            restart_on=(
                f"file {folder}/Caddyfile",
                f"file /etc/systemd/system/{unit}.service",
                *(each.key for each in certificates if each.key.endswith("certificate.pem")),
            ),
            why=why,
        ),
    ]


def host_of(url: str) -> str:
    """Return the host of an address."""
    return urlsplit(url).hostname or ""

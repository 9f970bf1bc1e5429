"""Caddy in front of a service: https with the machine's certificate, or with one that Caddy gets itself."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from models.resources import Account, File, Resource, Service
from tasks.roles.context import CONFIGURATION, RoleContext, certificate_files
from tasks.roles.templates import fill

# Shared by all that Caddy serves on a machine, so that one of them can answer for another's certificate.
_HOME = "/var/lib/wod-gate"


@dataclass(frozen=True)
class Site:
    """A service that Caddy serves: its external address, what it passes on, and which paths it keeps to itself.

    The word of `trusted` addresses is taken for whom they ask for.
    """

    protocol: str
    port: int
    external: str
    upstream: str
    closed: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Address:
    """An address of a site, and whether the machine's own certificate is shown there."""

    text: str
    shows_own: bool


def gate(context: RoleContext, machine: str, name: str, sites: list[Site], *, what: str) -> list[Resource]:
    """Return a Caddy of its own, `wod-NAME`, for `sites`: of the package caddy, whose own unit is turned off."""
    unit, folder = f"wod-{name}", f"{CONFIGURATION}/{name}"
    uses_acme = context.stack.certificates.source == "acme"
    why = f"Caddy serves the {what} by https."
    configuration = fill(
        "Caddyfile",
        sites=[(address, site) for site in sites for address in _addresses(site, machine, uses_acme=uses_acme)],
        folder=folder,
        acme=context.stack.certificates if uses_acme else None,
    )
    is_low_port = uses_acme or any(site.port < 1024 for site in sites)
    service = fill("gate.service", what=what, home=_HOME, folder=folder, is_low_port=is_low_port)
    certificates = certificate_files(context.certificates[machine], folder, "wod-gate", why=why)
    return [
        Service("caddy", is_running=False, why="The platform runs Caddy in units of its own."),
        Account("wod-gate", home=_HOME, why="Caddy's own account."),
        *certificates,
        File(f"{folder}/Caddyfile", configuration, group="wod-gate", mode=0o640, why=why),
        File(f"/etc/systemd/system/{unit}.service", service, why=why),
        Service(
            unit,
            restart_on=(
                f"file {folder}/Caddyfile",
                f"file /etc/systemd/system/{unit}.service",
                f"file {folder}/certificate.pem",
            ),
            why=why,
        ),
    ]


def _addresses(site: Site, machine: str, *, uses_acme: bool) -> list[_Address]:
    """Return what a site answers to: with ACME the public name, and the machine's own, known within the stack."""
    if site.protocol == "http" or not uses_acme:
        return [_Address(f"{site.protocol}://:{site.port}", shows_own=site.protocol == "https")]
    public = urlsplit(site.external).hostname or machine
    names = dict.fromkeys([public, machine])
    return [_Address(f"https://{name}:{site.port}", shows_own=name != public) for name in names]

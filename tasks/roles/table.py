"""The roles by name, and what each needs of a machine before it is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.resources import Resource
from models.rules.inner_ports import API_PORT, CATALOG_PORT, HUB_PORT, PREFECT_PORT, PROXY_API_PORT, PROXY_PORT
from models.rules.machine_facts import Needs
from models.stack_manifest import StackManifest
from tasks.roles.api_db import api_db
from tasks.roles.appliance import appliance
from tasks.roles.backend import backend
from tasks.roles.base import base
from tasks.roles.context import RoleContext
from tasks.roles.documents import documents
from tasks.roles.frontend import frontend

ROLES: dict[str, Callable[[RoleContext, str], Sequence[Resource]]] = {
    "base": base,
    "backend": backend,
    "api-db": api_db,
    "frontend": frontend,
    "appliance": appliance,
    "documents": documents,
}

# Disk and memory, in MB: what a role's packages and environments took on a fresh Debian 12, and some room.
_DISK_MB = {"base": 300, "backend": 1500, "api-db": 1500, "frontend": 1200, "appliance": 1000, "documents": 0}
_MEMORY_MB = {"base": 100, "backend": 400, "api-db": 900, "frontend": 200, "appliance": 200, "documents": 0}


def needs(stack: StackManifest, machine: str) -> Needs:
    """Return what a machine must offer for its roles; ports that their own units hold are no hindrance."""
    roles = stack.roles_of(machine)
    ports: dict[int, tuple[str, ...]] = {}
    if "backend" in roles:
        entry = next(each for each in stack.backends if each.machine == machine)
        proxy = ("wod-proxy.service",)
        # Either listens there, by where certificates come from, which may have changed.
        ports |= {entry.port: (*proxy, "wod-gate-hub.service"), PROXY_API_PORT: proxy, PROXY_PORT: proxy}
        ports |= {HUB_PORT: ("wod-hub.service",)}
        ports |= {stack.mail.relay_port: ("postfix@-.service", "postfix.service")}
    if "api-db" in roles:
        gate = ("wod-gate-api.service",)
        ports |= {stack.api.port: gate, stack.api.prefect_port: gate}
        ports |= {API_PORT: ("wod-api.service",), PREFECT_PORT: ("wod-prefect.service",)}
    if "frontend" in roles:
        ports |= {stack.frontend.port: ("wod-gate-catalog.service",), CATALOG_PORT: ("wod-catalog.service",)}
    disk = sum(_DISK_MB[role] for role in roles)
    return Needs(
        ports,
        {"/": 600 if "documents" in roles else 200, "/opt": disk, "/var": 300},
        sum(_MEMORY_MB[role] for role in roles),
    )

"""A frontend: the catalog behind https. It holds no secret of the other machines."""

from __future__ import annotations

from models.resources import Account, Environment, File, Packages, Resource, Service, Tree
from models.rules.inner_ports import CATALOG_PORT
from tasks.roles.context import PROGRAMS, RoleContext
from tasks.roles.https import Site, gate
from tasks.roles.templates import fill

ENVIRONMENT, PAGES = f"{PROGRAMS}/catalog-env", f"{PROGRAMS}/catalog"
_UNIT = "/etc/systemd/system/wod-catalog.service"


def frontend(context: RoleContext, machine: str) -> list[Resource]:
    """Return what a frontend gets."""
    stack, why = context.stack, "The catalog that students book from."
    unit = fill(
        "frontend/wod-catalog.service",
        api_url=stack.url("api", side="internal"),
        port=CATALOG_PORT,
        color=stack.settings.get("brand_color", "#01775A"),
    )
    entry = stack.frontend
    upstream, trusted = f"127.0.0.1:{CATALOG_PORT}", context.proxies_of_operator
    site = Site(entry.protocol, entry.port, stack.url("catalog"), upstream, trusted=trusted)
    return [
        Packages(("caddy",), why="Caddy, which serves the catalog by https."),
        Environment(ENVIRONMENT, lock=context.release.catalog_lock, uv_lock=context.release.uv_lock, why=why),
        Tree(PAGES, context.release.catalog, why=why),
        Account("wod-catalog", home="/var/lib/wod-catalog", why=why),
        File(_UNIT, unit, why=why),
        Service(
            "wod-catalog", restart_on=(f"file {_UNIT}", f"environment {ENVIRONMENT}", f"tree {PAGES}"), why=why
        ),
        *gate(context, machine, "gate-catalog", [site], what="catalog"),
    ]

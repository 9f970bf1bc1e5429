"""What a platform was started with, on file: the launcher, status and down read it instead of the settings.

It holds no secret, and outlives changes of the settings until the platform is down.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from deployments.stack.accounts import Account
from deployments.stack.layout import Layout
from deployments.stack.services import Service
from models.errors import Refused
from models.settings import Settings


@dataclass(frozen=True)
class Plan:
    """A platform that was started; `services` are those of the table, with account, home and credentials.

    `addresses` are what people open, by what it is; `homes` and `isolation` are of the seats.
    """

    services: dict[str, dict[str, Any]]
    socket: str
    addresses: dict[str, str]
    ports: dict[str, int]
    homes: str
    isolation: str
    uses_database: bool


def write_plan(
    layout: Layout, settings: Settings, table: list[Service], accounts: dict[str, Account], socket: str
) -> Plan:
    """Write what the platform is about to be started with."""
    entries = {
        service.name: service.as_dict()
        | {
            "account": asdict(accounts[service.name]) if service.name in accounts else None,
            "home": str(layout.service_home(service.name)),
            "credentials": str(layout.credentials(service.name)),
        }
        for service in table
    }
    plan = Plan(
        services=entries,
        socket=socket,
        addresses=_addresses(settings, layout, {service.name for service in table}),
        ports={
            "mailbox" if name == "smtp" else name: settings.port(name)
            for name in ("database", "smtp", "prefect", "api", "hub", "catalog")
        }
        | {"proxy": settings.port("proxy_api")},
        homes=str(settings.homes.absolute()),
        isolation=settings.isolation,
        uses_database=any(probe.startswith("file://") for service in table for probe in service.needs),
    )
    layout.plan.touch(mode=0o600)
    layout.plan.write_text(json.dumps(asdict(plan), indent=1))
    return plan


def read_plan(layout: Layout) -> Plan | None:
    """Return what the platform was started with, None when it is down.

    Raises Refused (`not_yours`) when it belongs to an account that we can't look into.
    """
    try:
        return Plan(**json.loads(layout.plan.read_text()))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise Refused(
            f"The platform in {layout.state} was started by another account. Use that one, or sudo.",
            reason="not_yours",
        ) from None


def _addresses(settings: Settings, layout: Layout, running: set[str]) -> dict[str, str]:
    every = {
        "catalog": ("Catalog", settings.url("catalog")),
        "hub": ("JupyterHub", settings.url("hub")),
        "prefect": ("Prefect", settings.url("prefect")),
        "api": ("API", f"{settings.url('api')}/api/docs"),
        "mailbox": ("Mails", str(layout.mail)),
    }
    return dict(address for service, address in every.items() if service in running)

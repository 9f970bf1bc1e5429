"""Whose word on addresses the machines of a stack take: the catalog's, and that of the operator's proxies."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from models.resources import File
from models.stack_manifest import parse_stack
from tasks.roles.context import RoleContext
from tasks.roles.imagined import imagined_context
from tasks.roles.table import ROLES

EXAMPLES = Path(__file__).parents[2] / "deployments/examples"
PROXIES = "settings:\n  trusted_proxies: [198.51.100.7, 2001:db8::/64]\n"
OPERATORS = ["198.51.100.7", "2001:db8::/64"]
LOOPBACK = ["127.0.0.1", "::1"]


def context_of(text: str) -> RoleContext:
    stack, problems = parse_stack(text, "stack.yaml")
    assert stack is not None, problems
    return asyncio.run(imagined_context(stack))


def text_of(context: RoleContext, machine: str, role: str, path: str) -> str:
    files = {each.path: each for each in ROLES[role](context, machine) if isinstance(each, File)}
    return files[path].content.decode()


def believed(caddyfile: str, upstream: str) -> list[str]:
    """Return whom Caddy believes that passes on to an upstream."""
    found = re.search(rf"reverse_proxy {upstream} {{\s*(?:trusted_proxies (.*))?\s*}}", caddyfile)
    assert found, caddyfile
    return (found.group(1) or "").split()


@pytest.mark.parametrize(("added", "operators"), [("", []), (PROXIES, OPERATORS)])
def test_the_api_believes_the_catalog_and_the_operators_proxies(added: str, operators: list[str]) -> None:
    context = context_of((EXAMPLES / "reference.yaml").read_text() + added)
    api, frontend = context.stack.api.machine, context.stack.frontend.machine
    catalog = [each for family in context.addresses_of([frontend]).values() for each in family]
    assert catalog
    settings = tomllib.loads(text_of(context, api, "api-db", "/etc/wod/settings.toml"))
    assert settings["trusted_proxies"] == [*catalog, *LOOPBACK, *operators]
    caddyfile = text_of(context, api, "api-db", "/etc/wod/gate-api/Caddyfile")
    assert believed(caddyfile, r"127.0.0.1:9101") == settings["trusted_proxies"]
    catalogs = text_of(context, frontend, "frontend", "/etc/wod/gate-catalog/Caddyfile")
    assert believed(catalogs, r"127.0.0.1:\d+") == operators


def test_no_other_machine_is_believed() -> None:
    context = context_of((EXAMPLES / "reference.yaml").read_text())
    settings = tomllib.loads(text_of(context, context.stack.api.machine, "api-db", "/etc/wod/settings.toml"))
    others = [each.machine for each in context.stack.backends]
    for addresses in context.addresses_of(others).values():
        assert not set(addresses) & set(settings["trusted_proxies"])

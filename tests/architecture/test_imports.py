"""Imports go one way, and no file hides a module that something else imports by name."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("deployments", "flows", "models", "tasks", "ui")

# Each layer may import itself and what stands after it.
LAYERS = [
    ("deployments", "ui"),
    ("flows",),
    ("tasks",),
    ("models.store", "models.migrations"),
    ("models.door_tables", "models.tables"),
    ("models.backend_list", "models.manifest", "models.settings"),
    ("models.rules",),
    ("models.errors",),
]

# A library that has one home, so that it can be replaced there.
HOMES = {
    "argon2": ("tasks.users",),
    "asyncssh": ("tasks.adapters",),
    "cryptography": ("tasks.adapters",),
    "aiosmtplib": ("tasks.adapters",),
    "nbformat": ("tasks.adapters",),
    "httpx": ("tasks.adapters", "ui.api.client", "deployments"),
    "sqlalchemy": ("models",),
    "prefect": ("flows", "tasks.recording", "deployments.engine"),
    "streamlit": ("ui.catalog", "deployments.bench.visitors"),
}

# What of the project the catalog may import: it can do nothing that the API doesn't let it.
CATALOG_KNOWS = ("ui.api.client", "ui.api.own_schemas", "ui.api.schemas", "ui.catalog")


def _modules() -> dict[str, Path]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
        if "workshops" not in path.parts and "hub" not in path.parts
    }


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _layer(name: str) -> int | None:
    ranks = [
        (len(package), rank)
        for rank, packages in enumerate(LAYERS)
        for package in packages
        if _is_below(name, package)
    ]
    return max(ranks)[1] if ranks else None


MODULES = _modules()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    own = _layer(module)
    wrong = [
        name
        for name in _imports(MODULES[module])
        if own is not None and (layer := _layer(name)) is not None and layer < own
    ]
    assert not wrong, f"{module} may not import {wrong}"


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_at_home(module):
    wrong = [
        name
        for name in _imports(MODULES[module])
        for library, homes in HOMES.items()
        if _is_below(name, library) and not any(_is_below(module, home) for home in homes)
    ]
    assert not wrong, f"{module} may not import {wrong}"


@pytest.mark.parametrize("module", [name for name in MODULES if _is_below(name, "ui.catalog")])
def test_the_catalog_knows_the_platform_through_the_client_alone(module):
    wrong = [
        name
        for name in _imports(MODULES[module])
        if name.split(".")[0] in FOLDERS and not any(_is_below(name, known) for known in CATALOG_KNOWS)
    ]
    assert not wrong, f"{module} may not import {wrong}"


def test_no_file_is_named_like_something_that_is_imported():
    taken = set(FOLDERS) | set(sys.stdlib_module_names) | set(packages_distributions())
    hiding = [
        str(path.relative_to(ROOT))
        for path in MODULES.values()
        if path.stem in taken and path.name != "__init__.py"
    ]
    assert not hiding


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_readable(module):
    lines = len(MODULES[module].read_text().splitlines())
    assert lines <= (450 if module == "tasks.adapters.seat_agent" else 320), f"{module} has {lines} lines"

"""The commands for who works on the code."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from typing import Annotated

import typer

from deployments.stack.environment import SYSTEM_PATH
from deployments.stack.layout import find_layout
from ui.cli.console import errors, output

_CHECKS = {
    "style": ("ruff", "check"),
    "format": ("ruff", "format", "--check"),
    "types": ("mypy",),
    "architecture": ("pytest", "-q", "tests/architecture"),
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

app = typer.Typer()


def check_code() -> None:
    """Check style, types and architecture of the code; exit 1 when something is wrong."""
    failed = []
    for what, command in _CHECKS.items():
        done = subprocess.run([sys.executable, "-m", *command], cwd=find_layout().source, check=False)
        if done.returncode:
            failed.append(what)
    if failed:
        errors.print(f"Failed: {', '.join(failed)}.", style="red")
        raise typer.Exit(1)
    output.print("Style, format, types and architecture are right.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run the tests; arguments are those of pytest, such as `-m "not integration"` or `-k booking`."""
    _ensure_browser()
    os.chdir(find_layout().source)
    # The settings and the state of the operator's platform are none of the tests' business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")}
    if "WOD_HOME" in os.environ:
        environment["WOD_HOME"] = os.environ["WOD_HOME"]
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *context.args], environment)  # noqa: S606


@app.command()
def migration(about: Annotated[str, typer.Argument(help="What the change is for, in a sentence.")]) -> None:
    """Write the migration from the tables of the running platform to those of models/tables.py."""
    from models.settings import load_settings
    from models.store.migrate import write_migration

    write_migration(load_settings().secret("database_url"), about)


@app.command()
def screenshots() -> None:
    """Take the pictures of docs/images anew: a student at a platform of its own, in a browser."""
    from deployments.rehearsal.own_platform import own_platform
    from deployments.rehearsal.screenshots import take_screenshots

    chromium = _ensure_browser()
    if not chromium:
        raise typer.Exit(1)
    folder = find_layout().source / "docs/images"
    folder.mkdir(exist_ok=True)
    with own_platform(shows_progress=True) as platform:
        taken = asyncio.run(take_screenshots(platform, chromium, folder))
    for path in taken:
        output.print(f"{path}: {path.stat().st_size // 1024} KB", highlight=False)


def _ensure_browser() -> str:
    """Return where Chromium is, installed where that can be done; without it the browser tests skip themselves."""
    if found := _browser():
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        errors.print("No Chromium here: the browser tests will be skipped (apt-get install chromium).")
        return ""
    errors.print("Installing Chromium for the browser tests …")
    environment = {"PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-qy", "--no-install-recommends", "install", "chromium"],
    ):
        done = subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            errors.print(f"{' '.join(command)} failed: the browser tests will be skipped.")
            return ""
    return _browser()


def _browser() -> str:
    return next(filter(None, map(shutil.which, _BROWSERS)), "")

"""A platform for one rehearsal or benchmark: own state, own ports, gone afterwards."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deployments.rehearsal.maildir import Mailbox
from deployments.stack.layout import Layout, find_layout
from models.errors import StepFailed
from models.settings import Settings

_PORTS = 8
_FIRST_PORT, _LAST_PORT = 20000, 60000
_UP_SECONDS = 180
_PREFIX = "rehearsal-"
_OWNER_FILE = "owner"


@dataclass(frozen=True)
class OwnPlatform:
    """A platform that runs until the end of its `with` block."""

    layout: Layout
    environment: Mapping[str, str]
    settings: Settings

    @property
    def api_url(self) -> str:
        """The address of its API."""
        return self.settings.url("api")

    @property
    def mailbox(self) -> Mailbox:
        """Its mailbox."""
        return Mailbox(self.layout.mail)

    def wod(self, *arguments: str, shows_progress: bool = False) -> str:
        """Run the wod command on it; return what it prints, its progress aside where that is shown.

        Raises:
            StepFailed: command_failed, with the end of its output.
        """
        done = subprocess.run(
            [sys.executable, "-m", "ui.cli.main", *arguments],
            env=dict(self.environment),
            cwd=self.layout.source,
            stdout=subprocess.PIPE,
            stderr=None if shows_progress else subprocess.STDOUT,
            text=True,
            timeout=_UP_SECONDS,
        )
        if done.returncode:
            raise StepFailed(
                f"wod {' '.join(arguments)} failed.\n{done.stdout[-2000:]}",
                reason="command_failed",
            )
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return what `wod status --json` says."""
        status: dict[str, Any] = json.loads(self.wod("status", "--json"))
        return status


@contextmanager
def own_platform(
    workshops: Path | None = None, *, shows_progress: bool = False, **settings: object
) -> Iterator[OwnPlatform]:
    """Bring a platform up beside all others, and remove it and its accounts afterwards.

    `settings` are settings by name. Its state is in a folder below the environments of ./wod, which accounts
    can reach.
    """
    home = find_layout().home
    _clear_abandoned(home)
    state = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    state.chmod(0o755)
    (state / _OWNER_FILE).write_text(str(os.getpid()))
    platform = _platform_in(state, {"port_base": free_port_base(), **settings})
    try:
        catalog = ["--workshops", str(workshops)] if workshops else []
        platform.wod("up", "--detach", *catalog, shows_progress=shows_progress)
        yield platform
    finally:
        _remove(platform)


def _platform_in(state: Path, given: Mapping[str, Any]) -> OwnPlatform:
    found = find_layout()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")} | {
        "WOD_STATE": str(state),
        "WOD_HOME": str(found.home),
        **{f"WOD_{name.upper()}": str(value) for name, value in given.items()},
    }
    layout = Layout(state=state, home=found.home, source=found.source)
    return OwnPlatform(layout, environment, Settings(state_dir=state, **given))


def _remove(platform: OwnPlatform) -> None:
    platform.wod("down", "--purge", "--yes")
    shutil.rmtree(platform.layout.state, ignore_errors=True)


def _clear_abandoned(home: Path) -> None:
    """Take away the platforms of processes that were killed before they could do so."""
    for owner in home.glob(f"{_PREFIX}*/{_OWNER_FILE}"):
        if not psutil.pid_exists(int(owner.read_text() or 0)):
            _remove(_platform_in(owner.parent, {}))


def free_port_base() -> int:
    """Return the first of a block of ports that nobody listens on, and for whose seats there are no accounts."""
    accounts = {user.pw_name for user in pwd.getpwall()}
    for base in range(_FIRST_PORT, _LAST_PORT, 10):
        of_seats = Settings(port_base=base).account(1).removesuffix("1")
        has_accounts = any(account.startswith(of_seats) for account in accounts)
        if not has_accounts and all(_is_free(base + offset) for offset in range(_PORTS)):
            return base
    raise StepFailed("There are no free ports on this machine.", reason="ports_taken")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

"""Students' Jupyter servers: processes of this machine, each in the home of its seat."""

# Checked where jupyterhub is not installed.
# mypy: disable-error-code="misc, has-type"

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyterhub.spawner import LocalProcessSpawner
from server_log import write_to
from traitlets import Unicode
from traitlets.config import Configurable

FIRST_NOTEBOOK = "0-ReadMeFirst.ipynb"
SERVER_LOG = ".jupyter-server.log"


class SeatServer(Configurable):
    """What each kind of server has in common: a home, and the workshop's first notebook as its start page."""

    homes = Unicode(help="Folder of the seats' homes.").tag(config=True)

    @property
    def home(self) -> Path:
        """The home of the seat."""
        return Path(self.homes) / str(self.user.name)

    async def start(self) -> Any:
        """Start the server; its start page is the workshop that is in the home now."""
        self.default_url = start_page(self.home)
        return await super().start()


class SeatSpawner(SeatServer, LocalProcessSpawner):
    """Servers are processes of the hub's; another process is never taken for a student's server."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what a server's process does first: become the student, and write its log into the home.

        The hub's own log would be the student's to fill, and gone for the server when the hub restarts.
        """
        enter = self.enter(name)
        log = str(self.home / SERVER_LOG)

        def begin() -> None:
            enter()
            write_to(log)

        return begin

    def enter(self, name: str) -> Callable[[], None]:
        """Return what gives a process the student's rights, and enters the home."""
        enter: Callable[[], None] = super().make_preexec_fn(name)
        return enter

    def get_state(self) -> dict[str, Any]:
        """Return what a hub that restarts has to know: the process, and when it began."""
        state: dict[str, Any] = super().get_state()
        return {**state, "began": began(self.pid)} if self.pid else state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take the process up again, unless its number is another process's by now."""
        super().load_state(state)
        if self.pid and began(self.pid) != state.get("began"):
            self.pid = 0


class AccountSpawner(SeatSpawner):
    """Seats are accounts of the system: servers run with the student's rights."""


class FolderSpawner(SeatSpawner):
    """Seats are folders: servers run with the rights of the hub, each in its folder."""

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Return the environment with what tells the student's account."""
        return {**env, "USER": self.user.name, "HOME": str(self.home), "SHELL": "/bin/bash"}

    def enter(self, name: str) -> Callable[[], None]:
        """Return what enters the folder."""
        home = self.home
        return lambda: os.chdir(home)


def start_page(home: Path) -> str:
    """Return the path of the page that JupyterLab opens on: the first workshop's first notebook, if any."""
    try:
        folders = sorted(path for path in home.iterdir() if not path.is_symlink())
        for folder in folders:
            if (folder / FIRST_NOTEBOOK).is_file():
                return f"/lab/tree/{quote(folder.name)}/{FIRST_NOTEBOOK}"
    except OSError:
        pass
    return "/lab"


def began(process: int) -> str:
    """Return when a process began, in ticks since the machine did; empty when there is none."""
    try:
        # The name in parentheses may hold anything; the 20th field after it is the start time.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""

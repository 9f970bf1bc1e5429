"""Where the parts of one platform are: its state, and the environments and code that it runs from."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from models.settings import SECRETS_FOLDER, SETTINGS_FILE, state_folder

# All that a platform ever puts into its state folder. A purge touches nothing else there: the folder may
# hold the environments of ./wod as well, or whatever else the operator keeps in it.
_ENTRIES = (
    "archives", "content", "database", "hub", "logs", "mail", "prefect", "run", "seats", "secrets", SETTINGS_FILE
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The folders of one platform; all paths are absolute and free of links.

    `state` holds everything that the platform remembers, `home` the environments that ./wod made, and
    `source` the code of the clone.
    """

    state: Path
    home: Path
    source: Path

    @property
    def python(self) -> str:
        """The Python of this environment, by a path that leads through no link."""
        return str(Path(sys.prefix).resolve() / "bin/python")

    @property
    def run(self) -> Path:
        """What only matters while the platform is up."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """One log a service, rotated."""
        return self.state / "logs"

    @property
    def secrets(self) -> Path:
        """One file a secret; only whoever runs the platform may enter."""
        return self.state / SECRETS_FOLDER

    @property
    def database(self) -> Path:
        """The data of the embedded PostgreSQL."""
        return self.state / "database"

    @property
    def mail(self) -> Path:
        """The Maildir of the mailbox."""
        return self.state / "mail"

    @property
    def plan(self) -> Path:
        """What the platform that is up was started with."""
        return self.run / "plan.json"

    @property
    def databases_made(self) -> Path:
        """A file that is there once the databases are, with their roles."""
        return self.run / "databases-made"

    @property
    def prepared(self) -> Path:
        """A file that is there once the platform's database has the tables of this release."""
        return self.run / "prepared"

    def credentials(self, service: str) -> Path:
        """The secrets that one service may read."""
        return self.run / "credentials" / service

    def service_home(self, service: str) -> Path:
        """The home and working folder of one service."""
        return self.run / "home" / service

    def log(self, service: str) -> Path:
        """The log of one service."""
        return self.logs / f"{service}.log"

    def entries(self) -> list[Path]:
        """Everything of the platform that is in the state folder now."""
        return [path for name in _ENTRIES if (path := self.state / name).exists()]

    @property
    def settings_file(self) -> Path:
        """The operator's settings."""
        return self.state / SETTINGS_FILE


def find_layout() -> Layout:
    """Return the layout of the platform that this process is told to work on."""
    home = os.environ.get("WOD_HOME") or str(Path(sys.prefix).parent)
    return Layout(
        state=state_folder().resolve(), home=Path(home).resolve(), source=Path(__file__).resolve().parents[2]
    )

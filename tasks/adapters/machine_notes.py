"""What the machine agent remembers of a machine: which role has put what there. Part of the machine agent.

`/var/lib/wod-installer/roles/ROLE` is a list of key and notes, in the order in which the resources were ensured.
The folder is the lock, too: whoever changes the machine holds it, and so do the programs that it started.
"""

from __future__ import annotations

import ast
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.adapters.machine_files import ORIGINALS
from tasks.adapters.machine_tools import Failed, Unknown, remove_tree, write_whole

LOCK_SECONDS, LOCK_PAUSE_SECONDS = 1800, 0.5


class Notes:
    """The notes on the resources of one role, with a view of those of the machine's other roles."""

    def __init__(self, state: Path, role: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", role):
            raise Failed(f"{role!r} can't be the name of a role.")
        self.folder = state / "roles"
        self.state = state
        self.role = role
        self.own = self._read(self.folder / role)
        self.others = {
            path.name: self._read(path)
            for path in (sorted(self.folder.iterdir()) if self.folder.is_dir() else [])
            if path.name != role and not path.name.startswith(".")
        }

    @staticmethod
    def _read(path: Path) -> dict[str, dict[str, Any]]:
        try:
            return dict(ast.literal_eval(path.read_text()))
        except FileNotFoundError:
            return {}
        except (ValueError, SyntaxError):
            raise Unknown(f"The notes {path} are damaged. Remove that file, and install again.") from None

    def of(self, key: str) -> dict[str, Any]:
        """Return what is noted on a resource, by this role or else by another that has the same."""
        if key in self.own or key == "packages":  # those of another role are others
            return dict(self.own.get(key, {}))
        return dict(next((notes[key] for notes in self.others.values() if key in notes), {}))

    def roles_with(self, key: str) -> list[str]:
        """Return the other roles that have a resource."""
        return [role for role, notes in self.others.items() if key in notes]

    def digests(self) -> Iterator[tuple[str, str]]:
        """Return key and digest, as services know it, of what the machine's other roles have put there."""
        for notes in self.others.values():
            for key, noted in notes.items():
                yield key, known_digest(noted.get("digest", ""), noted)

    def put(self, key: str, values: Mapping[str, Any]) -> None:
        """Note something on a resource; what is known already is not written again."""
        noted = {**self.of(key), **values}
        if self.own.get(key) != noted:
            self.own[key] = noted
            self._write()

    def drop(self, key: str) -> None:
        """Forget a resource."""
        del self.own[key]
        self._write()

    def _write(self) -> None:
        file = self.folder / self.role
        if self.own:
            text = "[\n" + "".join(f"{entry!r},\n" for entry in self.own.items()) + "]\n"
            write_whole(file, text.encode(), (os.geteuid(), os.getegid()), 0o600)
        else:
            file.unlink()


def known_digest(digest: str, noted: Mapping[str, Any]) -> str:
    """Return by what services know a resource: another one whenever it was made right again.

    In between, whatever it was before may have been read.
    """
    return f"{digest}.{noted['mended']}" if noted.get("mended") else digest


def lock(state: Path, on_wait: Callable[[], None]) -> None:
    """Have the machine for this agent, and for the programs that it starts, until all of them have ended."""
    deadline = time.monotonic() + LOCK_SECONDS
    is_waiting = False
    while True:
        state.mkdir(0o700, parents=True, exist_ok=True)
        (state / "roles").mkdir(0o700, exist_ok=True)
        (state / ORIGINALS).mkdir(0o700, exist_ok=True)
        folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(folder)
            if time.monotonic() > deadline:
                raise Failed(f"Another installer has had this machine for {LOCK_SECONDS} seconds.") from None
            if not is_waiting:
                on_wait()
            is_waiting = True
            time.sleep(LOCK_PAUSE_SECONDS)
            continue
        if state.is_dir() and os.path.samestat(os.fstat(folder), state.stat()):
            os.set_inheritable(folder, True)
            return
        os.close(folder)  # it was removed while we waited


def forget_machine(state: Path) -> None:
    """Remove the notes once no role is left."""
    if not any((state / "roles").iterdir()):
        remove_tree(state)

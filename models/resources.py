"""What should be so on a machine: the nouns that roles are written in.

A role is a list of resources, ensured one after the other in its order. All are the work of root, may be ensured
any number of times, and `why` says in one sentence what each is for, for the people whose machine it is.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Resource:
    """One thing that should be so. Its `key` is unique within a role and stays when its content changes."""

    kind: ClassVar[str]
    why: str = field(kw_only=True)

    @property
    def key(self) -> str:
        """Return the name by which manifests, reports and other resources know it: `file /etc/wod/x`."""
        return f"{self.kind} {getattr(self, 'path', None) or getattr(self, 'name', '')}".strip()

    @property
    def digest(self) -> str:
        """Return what changes exactly when the resource must be made anew: 64 hexadecimal digits."""
        text = json.dumps([self.kind, self._essence()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return the resource as plain JSON values, bytes as base64, with its kind, key and digest."""
        return {"kind": self.kind, "key": self.key, "digest": self.digest, **self._values()}

    def _essence(self) -> dict[str, Any]:
        return self._values()

    def _values(self) -> dict[str, Any]:
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self) if each.name != "why"}


@dataclass(frozen=True)
class Packages(Resource):
    """Packages of the distribution, installed with what they depend on and nothing that they recommend.

    A role names them all in one of these. They stay when the role goes.
    """

    kind = "packages"
    names: tuple[str, ...]


@dataclass(frozen=True)
class Folder(Resource):
    """A folder, below one that exists. It goes with the role if it was made for it and is empty by then."""

    kind = "folder"
    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755


@dataclass(frozen=True)
class File(Resource):
    """A file of exactly this content, replaced at one instant.

    What was there before the role first wrote it is kept, and put back when the role goes. The content of a file
    that `is_secret` is never shown in a plan or report.
    """

    kind = "file"
    path: str
    content: bytes = field(repr=False)
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    is_secret: bool = False


@dataclass(frozen=True)
class Link(Resource):
    """A symbolic link; what was there before is treated as with File, unless it is a folder."""

    kind = "link"
    path: str
    target: str


@dataclass(frozen=True)
class Account(Resource):
    """An account of the system, with a group of its name, and the ssh keys that must be able to log in.

    Keys, groups and accounts of others stay as they are: an account that was there before needs the same home, and
    gets the groups and keys in addition. The home is made if it is missing, open to the account alone.
    """

    kind = "account"
    name: str
    home: str
    shell: str = "/usr/sbin/nologin"
    groups: tuple[str, ...] = ()
    comment: str = ""
    uid: int | None = None
    is_system: bool = True
    authorized_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree(Resource):
    """A folder of root's that is what the tar `archive` holds, built aside and exchanged at one instant.

    Nothing may write into it: the next change replaces it. The same content must come as the same bytes, or it
    counts as changed: entries in a fixed order, with fixed times.
    """

    kind = "tree"
    path: str
    archive: bytes = field(repr=False)


@dataclass(frozen=True)
class Environment(Resource):
    """A Python environment that holds what the hash lock `lock` names, made by uv.

    `path` is a link to a folder beside it, which has the version in its name: what runs in the environment before
    goes on undisturbed until the change after this one. `after` are commands that complete it, before it gets its
    name; `{path}` in them is the folder. `uv_lock` is the hash lock by which uv itself is installed; a newer uv is
    no reason to make the environment anew. Needs the package python3-venv.
    """

    kind = "environment"
    path: str
    lock: str = field(repr=False)
    uv_lock: str = field(repr=False)
    python: str = "/usr/bin/python3"
    after: tuple[tuple[str, ...], ...] = ()

    def _essence(self) -> dict[str, Any]:
        return {name: value for name, value in self._values().items() if name != "uv_lock"}


@dataclass(frozen=True)
class Command(Resource):
    """A command that is run unless it has succeeded with this `stamp` and these arguments before.

    It may be killed at any moment and run again, so it must bear that. Secrets go to `stdin`. When the role goes,
    `undo` is run; without it, what the command did stays.
    """

    kind = "command"
    name: str
    argv: tuple[str, ...]
    stamp: str
    user: str = "root"
    environment: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    folder: str = "/"
    stdin: bytes = field(default=b"", repr=False)
    timeout_seconds: float = 600
    undo: tuple[str, ...] = ()

    def _essence(self) -> dict[str, Any]:
        return {"name": self.name, "argv": list(self.argv), "stamp": self.stamp}


@dataclass(frozen=True)
class Service(Resource):
    """A unit of systemd (`wod-hub`, or with its suffix `wod-backup.timer`), enabled and running.

    It is restarted when one of the resources whose keys `restart_on` names, of any role on the machine,
    is not what it was when the unit was last started for it; `reload_on` does so for reloading. With `is_running`
    false it is stopped and disabled instead. What runs once and ends is no Service but a Command, or has a timer
    that is one.
    """

    kind = "service"
    name: str
    restart_on: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    is_running: bool = True


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value

"""What the parts of the machine agent share: changes, troubles, programs, and files written whole."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/root"}
TOOL_SECONDS = 120
TIMED_OUT = 124  # exit status of timeout(1)
LONGEST_OUTPUT, LONGEST_DIFF = 2000, 60  # characters, lines


class Failed(Exception):
    """What could not be done, for a person; never with a secret."""


class Unknown(Exception):
    """Why it can't be told how things are."""


class Change(NamedTuple):
    """What has to be done so that a resource is as it should be.

    `before` is noted before `act` begins, and what `act` returns after it has succeeded.
    """

    detail: str
    act: Callable[[], Mapping[str, Any] | None]
    before: Mapping[str, Any] = {}


class Removed(NamedTuple):
    """What came of taking a resource off."""

    is_changed: bool
    detail: str


def run_tool(
    *argv: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] = ENVIRONMENT,
    folder: str = "/",
    user: str = "root",
    timeout_seconds: float = TOOL_SECONDS,
) -> str:
    """Run a program that must succeed, and return what it wrote.

    It is ended in its time even if this agent is killed, and has the machine until then, for it inherits the lock.
    """
    try:
        done = subprocess.run(
            _in_time(argv, timeout_seconds),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            close_fds=False,
            cwd=folder,
            env=dict(environment),
            check=False,
            **_rights_of(user),
        )
    except OSError as error:
        raise Failed(f"{_short(argv)} can't be run: {error.strerror}: {error.filename}.") from None
    output: str = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        how = f"failed with exit status {done.returncode}"
        if done.returncode == TIMED_OUT:
            how = f"was stopped after {timeout_seconds:g} seconds"
        raise Failed(f"{_short(argv)} {how}:\n{output[-LONGEST_OUTPUT:]}".rstrip(":\n"))
    return output


def ask_tool(*argv: str, statuses: Sequence[int] = (0,)) -> str:
    """Return what a program that changes nothing tells; Unknown when it ends with another exit status."""
    try:
        done = subprocess.run(_in_time(argv, TOOL_SECONDS), capture_output=True, env=ENVIRONMENT, check=False)
    except OSError as error:
        raise Unknown(f"{_short(argv)} can't be run: {error.strerror}.") from None
    if done.returncode not in statuses:
        told = done.stderr.decode(errors="replace").strip()[-LONGEST_OUTPUT:]
        raise Unknown(f"{_short(argv)} ended with exit status {done.returncode}: {told}")
    return done.stdout.decode(errors="replace")


def _in_time(argv: Sequence[str], seconds: float) -> list[str]:
    return ["timeout", "-k", "5", f"{seconds:g}", *argv]


def _rights_of(user: str) -> dict[str, Any]:
    if user == "root":
        return {}
    account = find_account(user)
    if account is None:
        raise Failed(f"There is no account {user}.")
    groups = os.getgrouplist(user, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def _short(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 200 else text[:199] + "…"


def find_account(name: str) -> pwd.struct_passwd | None:
    """Return an account, if there is one of that name."""
    with suppress(KeyError):
        return pwd.getpwnam(name)
    return None


def owner_ids(owner: str, group: str) -> tuple[int, int] | None:
    """Return the numbers of an account and a group, None while one of them does not exist."""
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def found_owner(owner: str, group: str) -> tuple[int, int]:
    """Return the numbers of an account and a group that must exist by now."""
    ids = owner_ids(owner, group)
    if ids is None:
        raise Failed(f"There is no account {owner}, or no group {group}.")
    return ids


def found_status(path: Path) -> os.stat_result | None:
    """Return what is at a path, links not followed; None when nothing is."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_whole(path: Path, content: bytes, owner: tuple[int, int], mode: int) -> None:
    """Give a file this content at one instant, and let it survive a loss of power."""
    aside = aside_of(path)
    with suppress(FileNotFoundError):
        aside.unlink()
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    rename(aside, path)


def rename(source: Path, target: Path) -> None:
    """Give a file or link its name at one instant, for good."""
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def aside_of(path: Path) -> Path:
    """Return where what is to be at `path` is built; whatever a killed agent left there is worthless."""
    return path.with_name(f".{path.name}.wod-new")


def remove_tree(*folders: Path) -> None:
    """Remove folders, or files, and what is below them on the same file system."""
    if folders:
        run_tool("rm", "-rf", "--one-file-system", "--", *map(str, folders))


def difference(path: Path, content: bytes) -> str:
    """Return what would change in a text file, as a unified diff of at most LONGEST_DIFF lines."""
    is_there = path.is_file() and not path.is_symlink()  # a link is replaced, not what it points to
    before = path.read_bytes() if is_there else b""
    if b"\0" in before or b"\0" in content:
        return f"binary, {len(content)} bytes"
    argv = ["diff", "-u", f"--label={path}", f"--label={path}", str(path) if is_there else "/dev/null", "-"]
    # As a child of our own: its exit status 1 says that there is a difference.
    done = subprocess.run(argv, input=content, capture_output=True, env=ENVIRONMENT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    more = [f"… {len(lines) - LONGEST_DIFF} more lines"] if len(lines) > LONGEST_DIFF else []
    return "\n".join(lines[:LONGEST_DIFF] + more)

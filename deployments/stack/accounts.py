"""Accounts of services: as root, each service that needs no rights runs as a system account of its own."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deployments.stack.environment import SYSTEM_PATH
from models.errors import StepFailed

_TOOLS_TIMEOUT_SECONDS = 30
_BURIAL_SECONDS = 5


@dataclass(frozen=True)
class Account:
    """An account of this machine."""

    name: str
    uid: int
    gid: int


def is_root() -> bool:
    """Whether this process may do everything on the machine."""
    return os.geteuid() == 0


def account_name(port_base: int, service: str) -> str:
    """Return the name of a service's account; platforms side by side have different port bases."""
    return f"wod-{port_base}-{service}"


def ensure_account(name: str) -> Account:
    """Return the system account `name`, made without home, shell or password if it is missing."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", "--comment", "Workshops on Demand", name)  # fmt: skip
        entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def remove_account(name: str) -> None:
    """Remove the account `name` and its group, if they are there; what still runs as it is ended."""
    with suppress(KeyError):
        uid = pwd.getpwnam(name).pw_uid
        for process in psutil.process_iter(["uids"]):
            if process.info["uids"] and process.info["uids"].real == uid:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        _run_until_free("userdel", name)
    with suppress(KeyError):
        grp.getgrnam(name)
        _run("groupdel", name)


def give(path: Path, account: Account) -> None:
    """Make `path` and everything in it the account's, if it isn't so already."""
    if path.stat().st_uid == account.uid:
        return
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)
        os.chown(folder, account.uid, account.gid)


def closed_folder(path: Path) -> Path | None:
    """Return the folder on the way to `path`, or itself, that other accounts can't enter; None if they can."""
    for folder in (*reversed(path.parents), path):
        if not stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH:
            return folder
    return None


def _run_until_free(tool: str, name: str) -> None:
    """Run a tool on an account, again while the last of its processes is being buried."""
    deadline = time.monotonic() + _BURIAL_SECONDS
    while True:
        try:
            _run(tool, name)
        except StepFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(_BURIAL_SECONDS / 20)
        else:
            return


def _run(tool: str, *arguments: str) -> None:
    command = [shutil.which(tool, path=SYSTEM_PATH) or tool, *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TOOLS_TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or b""
        raise StepFailed(
            f"{tool} failed, so the platform's services can't get their accounts: {error}",
            reason="account_not_made",
            detail=output.decode(errors="replace").strip(),
        ) from error

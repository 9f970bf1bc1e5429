"""Packages and accounts of a machine. Part of the machine agent."""

from __future__ import annotations

import fcntl
import grp
import os
import stat
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.adapters.machine_tools import (
    ENVIRONMENT,
    Change,
    Failed,
    Removed,
    ask_tool,
    find_account,
    found_status,
    run_tool,
    write_whole,
)

Noted = dict[str, Any]
APT_LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
APT_WAIT_SECONDS, APT_PAUSE_SECONDS, APT_SECONDS = 900, 2, 1800
APT_LISTS = Path("/var/lib/apt/lists")
LISTS_GOOD_SECONDS = 24 * 3600
APT_ENVIRONMENT = {**ENVIRONMENT, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
# Configuration that is there stays as it is, for nobody can be asked.
APT_OPTIONS = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
FLOCK = "hhqqi4x"  # struct flock
NO_HOME = "/nonexistent"  # of accounts in Debian


def packages_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what installs the packages that are missing."""
    missing = missing_packages(wanted["names"])
    if not missing:
        return None

    def act() -> None:
        run_apt("dpkg", "--configure", "-a")  # a killed installation may have left some half done
        is_fresh = _has_fresh_lists()
        if not is_fresh:
            run_apt("apt-get", "update", "-q")
        install = ("apt-get", "install", "-q", "-y", "--no-install-recommends", *APT_OPTIONS, "--", *missing)
        try:
            run_apt(*install)
        except Failed:
            if not is_fresh:
                raise
            run_apt("apt-get", "update", "-q")
            run_apt(*install)
        if still_missing := missing_packages(missing):
            raise Failed(f"apt-get installed no package of the name {', '.join(still_missing)}.")

    before = {"installed": sorted({*noted.get("installed", ()), *missing})}
    return Change(f"install {', '.join(missing)}", act, before)


def missing_packages(names: list[str]) -> list[str]:
    """Return those of the packages that are not installed and configured."""
    told = ask_tool("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", "--", *names, statuses=(0, 1))
    installed = {line.split()[0] for line in told.splitlines() if line.endswith(" installed")}
    return [name for name in names if name.partition(":")[0] not in installed]


def run_apt(*argv: str) -> None:
    """Run a program of the package manager, when no other one is at work."""
    deadline = time.monotonic() + APT_WAIT_SECONDS
    while holder := apt_lock_holder():
        if time.monotonic() > deadline:
            raise Failed(f"Process {holder} has had the package manager for {APT_WAIT_SECONDS} seconds.")
        time.sleep(APT_PAUSE_SECONDS)
    run_tool(*argv, environment=APT_ENVIRONMENT, timeout_seconds=APT_SECONDS)


def apt_lock_holder() -> int:
    """Return the process that is installing packages or fetching lists now, 0 when there is none."""
    for name in APT_LOCKS:
        try:
            file = os.open(name, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, holder = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
        finally:
            os.close(file)
        if kind != fcntl.F_UNLCK:
            return int(holder)
    return 0


def _has_fresh_lists() -> bool:
    if not any(APT_LISTS.glob("*_Packages*")):
        return False
    newest = max(folder.stat().st_mtime for folder in (APT_LISTS, APT_LISTS / "partial") if folder.is_dir())
    return time.time() - newest < LISTS_GOOD_SECONDS


def keep_packages(noted: Noted, state: Path) -> Removed:
    """Say which packages were installed for the role; they stay."""
    return Removed(False, f"stay: {', '.join(noted.get('installed', ())) or 'all were there before'}")


def account_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes an account what it should be."""
    account = find_account(wanted["name"])
    is_ours = account is None or noted.get("made", False)
    if account and (account.pw_uid == 0 or (not is_ours and account.pw_dir != wanted["home"])):
        whose = f"There is an account {wanted['name']} already, with the home {account.pw_dir}."
        raise Failed(f"{whose} Rename it, or have the installer use another name.")
    if account and wanted["uid"] not in (None, account.pw_uid):
        raise Failed(f"The account {wanted['name']} has the number {account.pw_uid}, not {wanted['uid']}.")
    steps: list[tuple[str, Callable[[], object]]] = []
    if account is None:
        steps.append(("new", lambda: _make_account(wanted)))
    else:
        own = {"home": account.pw_dir, "comment": account.pw_gecos, "shell": account.pw_shell}
        for name, value in own.items():
            if is_ours and value != wanted[name]:
                steps.append((f"{name} {wanted[name]}", _modifying(wanted["name"], f"--{name}", wanted[name])))
        missing = _missing_groups(wanted)
        if missing:
            adding = _modifying(wanted["name"], "--append", "--groups", ",".join(missing))
            steps.append((f"groups {', '.join(missing)}", adding))
    if wanted["home"] != NO_HOME and found_status(Path(wanted["home"])) is None:
        steps.append(("home", lambda: _make_home(wanted)))
    keys = _wanted_keys(wanted, noted)
    if keys is not None:
        steps.append(("authorized keys", lambda: _write_keys(wanted, keys)))
    if not steps:
        return None

    def act() -> Noted:
        for _, step in steps:
            step()
        return {"keys": list(wanted["authorized_keys"])}

    known = sorted({*noted.get("keys", ()), *wanted["authorized_keys"]})
    return Change(", ".join(name for name, _ in steps), act, {"made": is_ours, "keys": known})


def _make_account(wanted: Noted) -> None:
    options = ["--home-dir", wanted["home"], "--no-create-home", "--shell", wanted["shell"]]
    options += ["--system"] if wanted["is_system"] else []
    options += ["--uid", str(wanted["uid"])] if wanted["uid"] is not None else []
    options += ["--groups", ",".join(wanted["groups"])] if wanted["groups"] else []
    options += ["--gid", wanted["name"]] if _is_group(wanted["name"]) else ["--user-group"]
    run_tool("useradd", "--comment", wanted["comment"], *options, wanted["name"])


def _is_group(name: str) -> bool:
    with suppress(KeyError):
        grp.getgrnam(name)
        return True
    return False


def _modifying(name: str, *options: str) -> Callable[[], object]:
    return lambda: run_tool("usermod", *options, name)


def _missing_groups(wanted: Noted) -> list[str]:
    has = ask_tool("id", "--name", "--groups", wanted["name"]).split() if wanted["groups"] else []
    return [group for group in wanted["groups"] if group not in has]


def _make_home(wanted: Noted) -> None:
    account = find_account(wanted["name"])
    if account:
        home = Path(wanted["home"])
        home.mkdir(0o700)
        os.chown(home, account.pw_uid, account.pw_gid)


def _keys_file(home: str) -> Path:
    return Path(home) / ".ssh" / "authorized_keys"


def _wanted_keys(wanted: Noted, noted: Noted) -> list[str] | None:
    """Return the lines that the account's file of keys should have, None when it has them."""
    file = _keys_file(wanted["home"])
    lines = file.read_text("utf-8", "surrogateescape").splitlines() if found_status(file) else []
    keys = wanted["authorized_keys"]
    passed = set(noted.get("keys", ())) - set(keys)
    right = [line for line in lines if line not in passed] + [key for key in keys if key not in lines]
    return None if right == lines else right


def _write_keys(wanted: Noted, lines: list[str]) -> None:
    account = find_account(wanted["name"])
    folder = _keys_file(wanted["home"]).parent
    if account is None:
        return
    found = found_status(folder)
    if found is None:
        folder.mkdir(0o700)
        os.chown(folder, account.pw_uid, account.pw_gid)
    elif not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, account.pw_uid):
        raise Failed(f"{folder} is not a folder of {wanted['name']}'s.")
    text = "".join(f"{line}\n" for line in lines)
    write_whole(
        folder / "authorized_keys",
        text.encode("utf-8", "surrogateescape"),
        (account.pw_uid, account.pw_gid),
        0o600,
    )


def remove_account(noted: Noted, state: Path) -> Removed:
    """Take the role's keys out of an account, and remove it if the role made it; what its home holds stays."""
    account = find_account(noted["name"])
    if account is None:
        return Removed(False, "is gone already")
    wanted = {"name": noted["name"], "home": account.pw_dir, "authorized_keys": []}
    keys = _wanted_keys(wanted, noted)
    if keys is not None:
        _write_keys(wanted, keys)
    if not noted.get("made"):
        return Removed(keys is not None, "stays, as it was there before")
    run_tool("userdel", "--force", noted["name"])
    file = _keys_file(account.pw_dir)
    if found_status(file) and not file.read_bytes():
        file.unlink()
    for folder in (file.parent, Path(account.pw_dir)):
        with suppress(OSError):  # it is not empty, or gone
            folder.rmdir()
    return Removed(True, "removed")

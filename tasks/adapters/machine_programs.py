"""Python environments and commands of a machine. Part of the machine agent."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

from tasks.adapters.machine_files import MADE, put_link
from tasks.adapters.machine_tools import (
    ENVIRONMENT,
    Change,
    Failed,
    Removed,
    find_account,
    found_status,
    remove_tree,
    run_tool,
)

Noted = dict[str, Any]
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
INSTALL_SECONDS = 1800


def environment_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes a Python environment of a lock, with the machine's own Python, index and certificates."""
    path = Path(wanted["path"])
    python = os.path.realpath(wanted["python"])  # so that a new Python means a new environment
    version = hashlib.sha256(f"{wanted['digest']} {python}".encode()).hexdigest()[:12]
    folder = path.with_name(f"{path.name}.{version}")
    found = found_status(path)
    before = path.readlink().name if found and path.is_symlink() else ""
    if before == folder.name and (folder / MADE).is_file():
        return None
    if found and not before:
        raise Failed(f"{path} is there already, and the installer did not make it.")

    def act() -> None:
        if not (folder / MADE).is_file():
            _make_environment(wanted, folder, state)
        put_link(path, folder.name)
        remove_tree(*(each for each in versions_of(path) if each.name not in (folder.name, before)))

    return Change("new version" if before else "new", act, {"made": True})


def versions_of(path: Path) -> list[Path]:
    """Return the folders of an environment's versions."""
    pattern = re.compile(re.escape(path.name) + r"\.[0-9a-f]{12}")
    return [each for each in path.parent.iterdir() if pattern.fullmatch(each.name)]


def _make_environment(wanted: Noted, folder: Path, state: Path) -> None:
    tools = state / "tools"
    _ready_tools(tools, wanted["python"], wanted["uv_lock"])
    environment = {
        **ENVIRONMENT,
        "UV_SYSTEM_CERTS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_CACHE_DIR": str(state / "cache"),
    }
    index = _pip_setting(tools, "global.index-url")
    if index:
        environment["UV_DEFAULT_INDEX"] = index
    remove_tree(folder)
    uv = str(tools / "bin/uv")

    def run(*argv: str) -> None:
        run_tool(*argv, environment=environment, timeout_seconds=INSTALL_SECONDS)

    run(uv, "venv", "--relocatable", "--no-project", "--python", wanted["python"], str(folder))
    lock = folder / "lock.txt"
    lock.write_text(wanted["lock"])
    install = ("pip", "install", "--python", str(folder), "--compile-bytecode", "--no-deps")
    run(uv, *install, "--require-hashes", "-r", str(lock))
    for argv in wanted["after"]:
        run(*(word.replace("{path}", str(folder)) for word in argv))
    run_tool("chmod", "--recursive", "go+rX", str(folder))
    (folder / MADE).write_text(wanted["digest"])
    run_tool("sync", "--file-system", str(folder))


def _ready_tools(tools: Path, python: str, lock: str) -> None:
    """Make the environment that holds uv as its lock names it, unless it is there."""
    made = tools / MADE
    digest = hashlib.sha256(f"{lock} {os.path.realpath(python)}".encode()).hexdigest()
    if made.is_file() and made.read_text() == digest:
        return
    remove_tree(tools)
    run_tool(python, "-m", "venv", str(tools))
    locked = tools / "lock.txt"
    locked.write_text(lock)
    environment = {**ENVIRONMENT, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"}
    if Path(BUNDLE).is_file() and not _pip_setting(tools, "global.cert"):
        environment["PIP_CERT"] = BUNDLE
    install = ("-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(locked))
    run_tool(str(tools / "bin/python"), *install, environment=environment, timeout_seconds=INSTALL_SECONDS)
    made.write_text(digest)


def _pip_setting(tools: Path, name: str) -> str:
    try:
        return run_tool(str(tools / "bin/python"), "-m", "pip", "config", "get", name)
    except Failed:  # it is not set
        return ""


def remove_environment(noted: Noted, state: Path) -> Removed:
    """Remove an environment in all its versions."""
    path = Path(noted["path"])
    folders = versions_of(path) if path.parent.is_dir() else []
    remove_tree(path, *folders)
    return Removed(True, "removed")


def command_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what runs a command that has not succeeded in this form yet."""
    if noted.get("succeeded") == wanted["digest"]:
        return None

    def act() -> Noted:
        account = find_account(wanted["user"])
        home = account.pw_dir if account else pwd.getpwuid(0).pw_dir
        run_tool(
            *wanted["argv"],
            stdin=b64decode(wanted["stdin"]),
            environment={**ENVIRONMENT, "HOME": home, **wanted["environment"]},
            folder=wanted["folder"],
            user=wanted["user"],
            timeout_seconds=wanted["timeout_seconds"],
        )
        return {"succeeded": wanted["digest"]}

    return Change("run " + " ".join(wanted["argv"])[:200], act, {"undo": wanted["undo"]})


def undo_command(noted: Noted, state: Path) -> Removed:
    """Undo what a command did, where it can be undone."""
    if not noted.get("undo"):
        return Removed(False, "what it did stays")
    run_tool(*noted["undo"])
    return Removed(True, "undone")

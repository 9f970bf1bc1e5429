"""What the tests of the installer share: hearing what it tells, seeing what it left, tars, and killing it."""

from __future__ import annotations

import asyncio
import io
import os
import pwd
import stat
import sys
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from models.errors import StepFailed
from models.resources import Command, File, Folder, Link, Resource, Tree
from tasks.adapters.machine import Machine
from tasks.machines import Outcome, RoleReport, apply_role, plan_role, undo_role

WHY = "So that it can be tested."
PYTHON = ("/usr/bin/python3",) if Path("/usr/bin/python3").exists() else (sys.executable,)


class Installer:
    """A role on a machine, with all that was heard of it."""

    def __init__(self, machine: Machine, state: Path = Path("/var/lib/wod-installer"), role: str = "base") -> None:
        self.machine, self.state, self.role = machine, state, role
        self.heard: list[Outcome] = []

    async def plan(self, *resources: Resource) -> RoleReport:
        return await plan_role(self.machine, self.role, resources, self.heard.append, state=self.state)

    async def apply(self, *resources: Resource) -> RoleReport:
        return await apply_role(self.machine, self.role, resources, self.heard.append, state=self.state)

    async def undo(self) -> RoleReport:
        return await undo_role(self.machine, self.role, self.heard.append, state=self.state)

    async def apply_and_be_killed(self, resources: Sequence[Resource], begun: int, after_seconds: float) -> bool:
        """Kill the agent, and what it runs, a moment after it began its n-th change; tell whether it got there."""
        changes: list[Outcome] = []
        is_there = asyncio.Event()

        def hear(outcome: Outcome) -> None:
            changes.extend([outcome] if outcome.event == "begun" else [])
            if len(changes) == begun:
                is_there.set()

        work = asyncio.create_task(apply_role(self.machine, self.role, resources, hear, state=self.state))
        waiting = asyncio.create_task(is_there.wait())
        await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.sleep(after_seconds)
        work.cancel()
        with suppress(asyncio.CancelledError, StepFailed):
            await work
        return is_there.is_set()


def every_kind(etc: Path, content: bytes = b"one\n") -> list[Resource]:
    """Return a role with each kind of resource that needs no whole system."""
    return [
        Folder(f"{etc}/wod", mode=0o750, group="daemon", why=WHY),
        File(f"{etc}/wod/new", content, why=WHY),
        File(f"{etc}/wod/secret", b"Secret-1" + content, owner="daemon", mode=0o600, is_secret=True, why=WHY),
        File(f"{etc}/theirs", content, why=WHY),
        File(f"{etc}/linked", content, why=WHY),
        Link(f"{etc}/link", "wod/new", why=WHY),
        Link(f"{etc}/file", "wod/new", why=WHY),
        Tree(f"{etc}/tree", tar_of({"a/b.sh": content}), why=WHY),
        Command("count", ("sh", "-c", f"cat >> {etc}/count"), "1", stdin=b"once\n", why=WHY),
    ]


def put_theirs(etc: Path) -> None:
    """Put there what a machine may have before the installer comes."""
    (etc / "theirs").write_text("theirs\n")
    (etc / "theirs").chmod(0o640)
    (etc / "file").write_text("a file of theirs\n")
    (etc / "linked").symlink_to("theirs")
    os.chown(etc / "theirs", pwd.getpwnam("daemon").pw_uid, 0)


def events(report: RoleReport) -> dict[str, str]:
    """Return how each resource came out."""
    return {outcome.key: outcome.event for outcome in report.outcomes}


def details(report: RoleReport) -> dict[str, str]:
    """Return what was said of each resource."""
    return {outcome.key: outcome.detail for outcome in report.outcomes}


def seen(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all that is in a folder, so that any change shows."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: object = str(path.readlink()) if path.is_symlink() else ""
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        times = () if stat.S_ISDIR(status.st_mode) else (status.st_mtime_ns,)
        name = str(path.relative_to(folder))
        found[name] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content, *times)
    return found


def tar_of(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    """Return the same tar of the same files each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, 12345, 12345
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def agents() -> list[psutil.Process]:
    """Return the agents that run on this machine as children of this process."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "sys.stdin.buffer.read" in " ".join(process.cmdline())
    ]


def is_root() -> bool:
    """Tell whether these tests may do what the installer does."""
    return os.geteuid() == 0

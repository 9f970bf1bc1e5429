"""Backups of a stack's database: making one now, telling which there are, and putting one back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import Refused, StepFailed
from models.rules.inner_ports import API_PORT
from models.stack_manifest import read_stack
from tasks.adapters.machine import Machine
from tasks.installation import reach
from tasks.roles.api_db import BACKUPS

_LOOK_SECONDS, _WORK_SECONDS = 60.0, 3600.0
_JOURNAL_LINES = 15
_SUDO = ("sudo", "-n")
_START_SECONDS = 60
# Ends when something listens on the port argv[1] of the machine itself, or in argv[2] seconds.
_LISTENS = """
import socket, sys, time
deadline = time.monotonic() + float(sys.argv[2])
while socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1]))):
    if time.monotonic() > deadline:
        sys.exit(1)
    time.sleep(0.2)
"""


@dataclass(frozen=True)
class Backup:
    """A backup of the database; its name says when it was made, in UTC."""

    name: str
    size_bytes: int


@asynccontextmanager
async def api_machine(stack_file: Path, ssh_key: Path) -> AsyncIterator[Machine]:
    """Yield the machine of a stack's database, whatever has become of the other machines.

    Raises Refused: stack_wrong, ssh_key_unreadable or host_key_changed; and StepFailed when it does not answer.
    """
    stack = read_stack(stack_file)
    name = stack.api.machine
    async with reach(stack, [name], ssh_key) as (machines, silent):
        if name in silent:
            raise silent[name]
        yield machines[name]


async def list_backups(machine: Machine) -> list[Backup]:
    """Return the backups that there are, the newest first.

    Raises StepFailed when the machine can't tell, as when it has no role api-db.
    """
    listing = ["find", BACKUPS, "-maxdepth", "1", "-name", "wod-*.dump", "-printf", r"%f %s\n"]
    done = await machine.run([*_SUDO, *listing], timeout_seconds=_LOOK_SECONDS)
    if done.status:
        raise StepFailed(
            f"The backups on {machine.name} can't be listed: {done.last_lines}", reason="backups_unknown"
        )
    entries = (line.split() for line in done.stdout.decode().splitlines())
    return sorted((Backup(name, int(size)) for name, size in entries), key=lambda each: each.name, reverse=True)


async def back_up(machine: Machine) -> Backup:
    """Make a backup now, and return it.

    Raises StepFailed (backup_failed) with the end of what the backup said.
    """
    await _run_unit(machine, "wod-backup.service", "backup_failed")
    return (await list_backups(machine))[0]


async def restore(machine: Machine, name: str) -> None:
    """Put a backup in the place of the database, and return when the API is there again.

    The engine and the API are stopped meanwhile. The machine goes on with it when this process ends, and it may be
    done again after it was stopped at any moment. The engine then catches up with machines that went on since.

    Raises Refused (backup_unknown), and StepFailed (restore_failed) with the end of what was said.
    """
    known = [each.name for each in await list_backups(machine)]
    if name not in known:
        raise Refused(
            f"There is no backup {name} on {machine.name}. There are: {', '.join(known) or 'none'}.",
            reason="backup_unknown",
        )
    await _run_unit(machine, f"wod-restore@{name}.service", "restore_failed")
    wait = [*machine.python, "-c", _LISTENS, str(API_PORT), str(_START_SECONDS)]
    done = await machine.run(wait, timeout_seconds=_START_SECONDS + _LOOK_SECONDS)
    if done.status:
        raise StepFailed(
            f"{name} is in place, but the API does not start: see `journalctl -u wod-api` on {machine.name}.",
            reason="restore_failed",
        )


async def _run_unit(machine: Machine, unit: str, reason: str) -> None:
    done = await machine.run([*_SUDO, "systemctl", "start", unit], timeout_seconds=_WORK_SECONDS)
    if done.status:
        look = ["journalctl", "--no-pager", "--output=cat", f"--lines={_JOURNAL_LINES}", f"--unit={unit}"]
        journal = await machine.run([*_SUDO, *look], timeout_seconds=_LOOK_SECONDS)
        told = journal.stdout.decode(errors="replace").strip()
        raise StepFailed(
            f"{unit} failed on {machine.name}; it can be started again. It said:\n{told}", reason=reason
        )

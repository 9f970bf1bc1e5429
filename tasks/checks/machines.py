"""What must be so on each machine: room, clock, units, the roles' things, and the API machine's backup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from models.errors import Severity
from models.resources import Service
from models.rules.machine_facts import Facts, Needs, problems
from models.tables import utc_now
from tasks.adapters.machine import run_checked
from tasks.adapters.ssh import SshMachine
from tasks.checkup import Checkup
from tasks.machines import plan_role
from tasks.roles.api_db import BACKUPS
from tasks.roles.table import ROLES, needs
from tasks.verdicts import Level, Verdict, bad, good, warning

# What must be left for logs, mail queues, homes and updates; what roles need to be installed is another matter.
_ROOM_MB = {"/": 500, "/var": 500, "/opt": 200}
# A night, and what a large database and a random delay take.
_OLDEST_BACKUP_HOURS = 26
_LOOK_SECONDS = 30
_NAMED_DIFFERENCES = 5


async def check_machine(checkup: Checkup, machine: str) -> list[Verdict]:
    """Tell how a machine is: reached, with room, its clock right, and its units running."""
    if machine in checkup.silent:
        error = checkup.silent[machine]
        return [bad(machine, error.message, "Look at the machine and its network.")]
    verdicts = [*_condition(checkup, machine), *await _units(checkup, machine)]
    if checkup.silent:
        others = ", ".join(checkup.silent)
        what = f"Whether all is as the stack says can't be told while {others} does not answer."
        return [*verdicts, warning(machine, what, "Mend that first.")]
    return [*verdicts, *await _differences(checkup, machine)]


async def check_backup(checkup: Checkup) -> list[Verdict]:
    """Tell whether there is a backup of the last night."""
    name = checkup.stack.api.machine
    if name in checkup.silent:
        return []
    machine, now = checkup.machines[name], utc_now()
    look = ("find", BACKUPS, "/etc/systemd/system/wod-backup.timer", "-type", "f", "-printf", "%T@ %s %p\\n")
    found = [line.split(" ", 2) for line in (await _as_root(machine, look)).splitlines()]
    dumps = [
        (float(at), int(size), PurePosixPath(path).name) for at, size, path in found if path.endswith(".dump")
    ]
    if not dumps:
        installed = max(float(at) for at, *_ in found) if found else 0
        what, remedy = "There is no backup of the database.", "`systemctl start wod-backup` on it makes one."
        is_new = _hours(installed, now) < _OLDEST_BACKUP_HOURS
        return [(warning if is_new else bad)(name, what, "The first is made tonight." if is_new else remedy)]
    at, size, newest = max(dumps)
    if _hours(at, now) > _OLDEST_BACKUP_HOURS:
        what = f"The newest backup of the database is {_hours(at, now):.0f} hours old."
        return [bad(name, what, "See `journalctl -u wod-backup` on it.")]
    return [good(name, f"The database was backed up {_hours(at, now):.0f} hours ago: {newest}, {size} bytes.")]


def _condition(checkup: Checkup, machine: str) -> list[Verdict]:
    facts = checkup.facts[machine]
    wanted = needs(checkup.stack, machine)
    found = problems(machine, facts, Needs(wanted.ports, _ROOM_MB, wanted.memory_mb))
    levels = {Severity.ERROR: Level.BAD, Severity.WARNING: Level.WARNING}
    verdicts = [Verdict(machine, levels[each.severity], each.message, each.remedy) for each in found]
    return verdicts or [good(machine, _described(facts))]


def _described(facts: Facts) -> str:
    room = facts.free_mb if isinstance(facts.free_mb, dict) else {}
    free = ", ".join(f"{megabytes} MB on {folder}" for folder, megabytes in room.items())
    return f"It answers, its clock is right, and there is room: {free}."


async def _units(checkup: Checkup, machine: str) -> list[Verdict]:
    resources = [
        each for role in checkup.stack.roles_of(machine) for each in ROLES[role](checkup.context, machine)
    ]
    units = list(dict.fromkeys(each.name for each in resources if isinstance(each, Service) and each.is_running))
    done = await checkup.machines[machine].run(
        ["systemctl", "is-active", "--", *units], timeout_seconds=_LOOK_SECONDS
    )
    states = dict(zip(units, done.stdout.decode().split(), strict=True))
    return [
        bad(machine, f"{unit} is {state}.", f"`wod install` starts it; `journalctl -u {unit}` on it tells why.")
        for unit, state in states.items()
        if state != "active"
    ] or [good(machine, f"All of its {len(units)} services run.")]


async def _differences(checkup: Checkup, machine: str) -> list[Verdict]:
    keys: list[str] = []
    for role in checkup.stack.roles_of(machine):
        resources = ROLES[role](checkup.context, machine)
        report = await plan_role(checkup.machines[machine], role, resources, lambda outcome: None)
        if report.failure:
            what = f"{report.failure.key} can't be told: {report.failure.detail}"
            return [bad(machine, what, "Look at the machine, and check again.")]
        keys += [each.key for each in report.changed]
    if not keys:
        return [good(machine, "All that its roles have put there is as the stack says.")]
    more = f" and {len(keys) - _NAMED_DIFFERENCES} more" if len(keys) > _NAMED_DIFFERENCES else ""
    what = f"It is not what this release and the stack file say: {_listed(keys)}{more}."
    return [warning(machine, what, "`wod plan` shows the differences, and `wod install` mends them.")]


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_NAMED_DIFFERENCES])


async def _as_root(machine: SshMachine, argv: Sequence[str]) -> str:
    done = await run_checked(machine, ["sudo", "-n", *argv], timeout_seconds=_LOOK_SECONDS)
    return done.stdout.decode(errors="replace")


def _hours(at: float, now: datetime) -> float:
    return (now - datetime.fromtimestamp(at, UTC)).total_seconds() / 3600

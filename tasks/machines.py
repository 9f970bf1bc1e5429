"""The installer's work on a machine: reading what it is, and making a role so, each in one round trip.

What goes wrong with a resource is part of the report. A machine that can't be reached, or whose agent breaks off,
raises StepFailed; everything may be done again at any time.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import StepFailed
from models.resources import Resource, Service
from models.rules.machine_facts import Facts, Listener, Unknown
from tasks.adapters.agent_source import LOADER, program
from tasks.adapters.machine import Machine

STATE = Path("/var/lib/wod-installer")
FACTS_SECONDS, PLAN_SECONDS, APPLY_SECONDS = 60.0, 300.0, 7200.0
STOPPING = ("failed", "unknown")

_MODULES = (
    "folder_exchange",
    "machine_tools",
    "machine_files",
    "machine_notes",
    "machine_system",
    "machine_probe",
    "machine_programs",
    "machine_services",
    "machine_agent",
)


@dataclass(frozen=True)
class Outcome:
    """How it goes with one resource: `event` is begun, same, changed, failed, unknown or skipped.

    `detail` says to a person what changed, or went wrong; it holds no secret.
    """

    key: str
    event: str
    detail: str = ""
    seconds: float = 0.0


OnEvent = Callable[[Outcome], None]


@dataclass(frozen=True)
class RoleReport:
    """How each resource of a role came out on a machine; in a plan, `changed` means that it would be changed."""

    role: str
    machine: str
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def changed(self) -> tuple[Outcome, ...]:
        """Return what was changed, or would be."""
        return tuple(each for each in self.outcomes if each.event == "changed")

    @property
    def failure(self) -> Outcome | None:
        """Return what kept the role from being completed, if anything did."""
        return next((each for each in self.outcomes if each.event in STOPPING), None)


async def read_facts(machine: Machine) -> Facts:
    """Read what a machine is."""
    before = time.time()
    events = await _call(machine, "facts", {}, lambda event: None, FACTS_SECONDS)
    midway = (before + time.time()) / 2
    values = {name: _fact(value) for name, value in events[0]["values"].items()}
    clock = values.pop("clock")
    offset = clock - midway if isinstance(clock, float) else clock
    return Facts(clock_offset_seconds=offset, **values)


async def plan_role(
    machine: Machine, role: str, resources: Sequence[Resource], on_event: OnEvent, *, state: Path = STATE
) -> RoleReport:
    """Tell what `apply_role` would do; nothing is changed."""
    return await _work(machine, "plan", role, resources, on_event, state, PLAN_SECONDS)


async def apply_role(
    machine: Machine, role: str, resources: Sequence[Resource], on_event: OnEvent, *, state: Path = STATE
) -> RoleReport:
    """Make the resources of a role so, in their order, and take off what it no longer has.

    `on_event` hears of each resource as it comes. After one that failed, or of which it can't be told how it is,
    the rest is skipped. `state` is the folder on the machine where the installer notes what it put there.
    """
    return await _work(machine, "apply", role, resources, on_event, state, APPLY_SECONDS)


async def undo_role(machine: Machine, role: str, on_event: OnEvent, *, state: Path = STATE) -> RoleReport:
    """Take everything off that a role has put on a machine, in reverse order.

    Files that were there before are put back. Packages, what commands did, and folders that hold something stay.
    """
    return await _work(machine, "undo", role, (), on_event, state, APPLY_SECONDS)


async def _work(
    machine: Machine,
    verb: str,
    role: str,
    resources: Sequence[Resource],
    on_event: OnEvent,
    state: Path,
    timeout_seconds: float,
) -> RoleReport:
    _check(role, resources)
    started = time.monotonic()
    document = {"role": role, "resources": [each.as_dict() for each in resources], "state": str(state)}
    outcomes: list[Outcome] = []

    def hear(event: dict[str, Any]) -> None:
        if event["event"] != "end":
            outcome = Outcome(**event)
            on_event(outcome)
            if outcome.event != "begun":
                outcomes.append(outcome)

    await _call(machine, verb, document, hear, timeout_seconds)
    return RoleReport(role, machine.name, tuple(outcomes), time.monotonic() - started)


def _check(role: str, resources: Sequence[Resource]) -> None:
    keys = [each.key for each in resources]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"The role {role} has {', '.join(twice)} twice.")
    for place, each in enumerate(resources):
        if isinstance(each, Service):
            late = {*each.restart_on, *each.reload_on} & set(keys[place:])
            if late:
                raise ValueError(f"In the role {role}, {', '.join(sorted(late))} must come before {each.key}.")


async def _call(
    machine: Machine,
    verb: str,
    document: dict[str, Any],
    hear: Callable[[dict[str, Any]], None],
    timeout_seconds: float,
) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def on_line(line: bytes) -> None:
        event = ast.literal_eval(line.decode())
        events.append(event)
        hear(event)

    source = program(_MODULES).encode()
    done = await machine.run(
        [*machine.python, "-I", "-S", "-c", LOADER, str(len(source)), verb],
        stdin=source + ascii(document).encode(),
        on_line=on_line,
        timeout_seconds=timeout_seconds,
    )
    if done.status or not events or events[-1]["event"] != "end":
        raise StepFailed(
            f"The installer's work ({verb}) broke off on {machine.name}. Started again, it goes on from there.",
            reason="machine_agent_broken",
            detail=f"exit status {done.status}: {done.last_lines}",
        )
    return events


def _fact(value: Any) -> Any:
    if isinstance(value, dict) and "unknown" in value:
        return Unknown(str(value["unknown"]))
    if isinstance(value, list):
        return tuple(Listener(**each) if isinstance(each, dict) else each for each in value)
    return value

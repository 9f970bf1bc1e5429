"""Units of systemd on a machine. Part of the machine agent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.adapters.machine_tools import Change, Failed, Removed, ask_tool, run_tool

Noted = dict[str, Any]
SUFFIXES = (".service", ".socket", ".timer", ".path", ".mount", ".target", ".slice")
PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload")
# Units that need no enabling, as something else brings them, and those that are.
ENABLED = ("enabled", "static", "alias", "indirect", "generated", "transient")
RUNNING = ("active", "reloading")
START_SECONDS, SETTLE_SECONDS, JOURNAL_LINES = 180, 0.3, 15
LONGEST_JOURNAL = 1500  # characters


def service_change(wanted: Noted, noted: Noted, digests: Mapping[str, str]) -> Change | None:
    """Return what makes a unit run, or not run, as it should; `digests` are those of what it may depend on."""
    unit = unit_of(wanted["name"])
    found = unit_state(unit)
    is_active = found["ActiveState"] in RUNNING
    if not wanted["is_running"]:
        if not is_active and found["UnitFileState"] != "enabled":
            return None
        return Change("stop and disable", lambda: _stop(unit))
    first = {} if "was_active" in noted else {"was_active": is_active, "reloads": not wanted["restart_on"]}
    restarting = _passed(wanted["restart_on"], noted.get("started", {}), digests)
    reloading = _passed(wanted["reload_on"], noted.get("reloaded", {}), digests)
    steps = [] if found["NeedDaemonReload"] != "yes" else ["daemon-reload"]
    steps += [] if found["UnitFileState"] in ENABLED else ["enable"]
    if not is_active:
        steps.append("start")
    elif restarting:
        steps.append(f"restart because of {', '.join(restarting)}")
    elif reloading:
        steps.append(f"reload because of {', '.join(reloading)}")
    if not steps:
        return None

    def act() -> Noted:
        missing = [key for key in (*wanted["restart_on"], *wanted["reload_on"]) if key not in digests]
        if missing:
            raise Failed(f"No role of this machine has {', '.join(missing)}, on which {unit} depends.")
        _bring_up(unit, [step.partition(" ")[0] for step in steps])
        return {
            "started": {key: digests[key] for key in wanted["restart_on"]},
            "reloaded": {key: digests[key] for key in wanted["reload_on"]},
        }

    return Change(", ".join(steps), act, first)


def unit_of(name: str) -> str:
    """Return the whole name of a unit."""
    return name if name.endswith(SUFFIXES) else f"{name}.service"


def unit_state(unit: str) -> dict[str, str]:
    """Return what systemd tells about a unit."""
    told = ask_tool("systemctl", "show", *(f"--property={name}" for name in PROPERTIES), "--", unit)
    lines = dict(line.partition("=")[::2] for line in told.splitlines())
    return {name: lines.get(name, "") for name in PROPERTIES}


def _passed(keys: list[str], started: Mapping[str, str], digests: Mapping[str, str]) -> list[str]:
    """Return the keys of what has changed, come or gone since a unit was last started."""
    return [key for key in keys if started.get(key) != digests.get(key, "")] + [
        key for key in started if key not in keys
    ]


def _bring_up(unit: str, steps: list[str]) -> None:
    if "daemon-reload" in steps or unit_state(unit)["LoadState"] == "not-found":
        run_tool("systemctl", "daemon-reload")
        if unit_state(unit)["LoadState"] == "not-found":
            raise Failed(f"There is no unit {unit}.")
    if "enable" in steps:
        run_tool("systemctl", "enable", "--", unit)
    for step in ("start", "restart", "reload"):
        if step in steps:
            # How often it was started lately is no reason to refuse this start.
            with suppress(Failed):  # of a unit that was never loaded there is nothing to forget
                run_tool("systemctl", "reset-failed", "--", unit)
            _run_job(step, unit)


def _run_job(step: str, unit: str) -> None:
    """Start, restart or reload a unit; Failed, with the end of its journal, when it does not get or stay up."""
    why = ""
    try:
        run_tool("systemctl", step, "--", unit, timeout_seconds=START_SECONDS)
        time.sleep(SETTLE_SECONDS)
    except Failed as failed:
        why = str(failed)
    state = unit_state(unit)
    if why or state["ActiveState"] == "failed" or state["SubState"] == "auto-restart":
        lines = f"--lines={JOURNAL_LINES}"
        journal = ask_tool("journalctl", "--no-pager", "--output=cat", lines, f"--unit={unit}")[-LONGEST_JOURNAL:]
        raise Failed(f"{why or f'{unit} does not stay up.'}\nThe end of its journal:\n{journal.strip()}")


def _stop(unit: str) -> None:
    if unit_state(unit)["LoadState"] != "not-found":
        run_tool("systemctl", "disable", "--now", "--", unit, timeout_seconds=START_SECONDS)


def remove_service(noted: Noted, state: Path) -> Removed:
    """Stop and disable a unit that the role started."""
    if noted.get("was_active", True):
        return Removed(False, "stays, as the role did not start it")
    _stop(unit_of(noted["name"]))
    return Removed(True, "stopped and disabled")


def settle_services(kept: list[Noted]) -> None:
    """Let systemd and the units that stay take notice of what was removed."""
    run_tool("systemctl", "daemon-reload")
    for noted in kept:
        step = "try-reload-or-restart" if noted.get("reloads") else "try-restart"
        run_tool("systemctl", step, "--", unit_of(noted["name"]), timeout_seconds=START_SECONDS)

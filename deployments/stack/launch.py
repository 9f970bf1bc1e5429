"""Becoming a service: `python -m deployments.stack.launch PLAN SERVICE` is what supervisord starts.

It waits until what the service needs is ready, takes its secrets from files into the environment, gives up
root where the service needs no rights, and turns into the service. It uses the standard library alone, so
that it costs next to nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from deployments.stack.probes import why_not_ready

_PATIENCE_SECONDS = 240
_LOOK_SECONDS = 0.1
_RECENT_SECONDS = 60
_LONGEST_PAUSE_SECONDS = 10


def main(plan_path: str, name: str) -> None:
    """Turn this process into the service `name` of the plan."""
    plan = Path(plan_path).resolve()
    service = json.loads(plan.read_text())["services"][name]
    starts = plan.parent / "starts" / name
    time.sleep(pause_seconds(_note_start(starts), time.time()))
    _wait(name, service["needs"])
    environment = dict(service["environment"])
    for variable, secret in service["secret_variables"].items():
        environment[variable] = Path(service["credentials"], f"wod_{secret}").read_text()
    environment["HOME"] = service["home"]
    os.nice(service["niceness"])
    if service["account"]:
        _become(**service["account"])
    os.chdir(service["home"])
    os.execve(service["argv"][0], service["argv"], environment)  # noqa: S606


def pause_seconds(starts: list[float], now: float) -> float:
    """Return how long to wait before a start: the more often a service has just started, the longer.

    The first two starts of a minute don't wait; then 1, 2, 4 … at most 10 seconds.
    """
    recent = sum(now - start < _RECENT_SECONDS for start in starts)
    return min(_LONGEST_PAUSE_SECONDS, 2.0 ** (recent - 3)) if recent > 2 else 0


def _note_start(path: Path) -> list[float]:
    with path.open("a+") as file:
        file.write(f"{time.time()}\n")
        file.seek(0)
        return [float(line) for line in file]


def _wait(name: str, needs: list[str]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for probe in needs:
        while reason := why_not_ready(probe):
            if time.monotonic() > deadline:
                sys.exit(f"{name} waited {_PATIENCE_SECONDS} seconds for {probe}, in vain: {reason}.")
            time.sleep(_LOOK_SECONDS)


def _become(uid: int, gid: int, **_: Any) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    main(*sys.argv[1:])

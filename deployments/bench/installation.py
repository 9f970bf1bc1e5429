"""What an installation costs: once as the machines are now, and once more when there is nothing left to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.install_stack import install_stack
from tasks.installation_pages import loading_seconds
from tasks.machines import RoleReport
from tasks.recording import unrecorded


@dataclass(frozen=True)
class RoleFigures:
    """One role on one machine; `loading_seconds` went to packages and environments, most of it downloads."""

    machine: str
    role: str
    changed: int
    steps: int
    seconds: float
    loading_seconds: float


@dataclass(frozen=True)
class InstallationFigures:
    """Seconds are on the clock, for all machines together; the second run should change nothing."""

    seconds_first: float
    seconds_again: float
    changed_again: int
    first: tuple[RoleFigures, ...]
    again: tuple[RoleFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def bench_installation(stack: Path, ssh_key: Path) -> InstallationFigures:
    """Install a stack twice and measure both."""
    seconds_first, first = _install(stack, ssh_key)
    seconds_again, again = _install(stack, ssh_key)
    return InstallationFigures(
        seconds_first=seconds_first,
        seconds_again=seconds_again,
        changed_again=sum(len(report.changed) for report in again),
        first=tuple(map(_figures, first)),
        again=tuple(map(_figures, again)),
    )


def _install(stack: Path, ssh_key: Path) -> tuple[float, Sequence[RoleReport]]:
    async def run() -> list[RoleReport]:
        with unrecorded():
            return await install_stack.fn(str(stack), str(ssh_key))

    begun = time.monotonic()
    reports = asyncio.run(run())
    return round(time.monotonic() - begun, 1), reports


def _figures(report: RoleReport) -> RoleFigures:
    return RoleFigures(
        machine=report.machine,
        role=report.role,
        changed=len(report.changed),
        steps=len(report.outcomes),
        seconds=round(report.seconds, 1),
        loading_seconds=round(loading_seconds(report), 1),
    )

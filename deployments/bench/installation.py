"""What an installation costs: once as the machines are now, and once more when there is nothing left to do.

While the first one goes on, a booking is tried: what students don't wait for comes last, and some time after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployments.bench.first_booking import ImpatientStudent
from flows.install_stack import install_stack
from models.errors import StepFailed
from tasks.installation_pages import loading_seconds
from tasks.machines import RoleReport
from tasks.recording import unrecorded

# After the installation: an engine that has just started makes its seats first.
_BOOKING_SECONDS = 120.0


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
    """Seconds are on the clock, for all machines together; the second run should change nothing.

    `seconds_to_booking` is when a booking was ready, counted from the start of the first run.
    """

    seconds_first: float
    seconds_to_booking: float
    seconds_again: float
    changed_again: int
    first: tuple[RoleFigures, ...]
    again: tuple[RoleFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def bench_installation(stack: Path, ssh_key: Path) -> InstallationFigures:
    """Install a stack twice and measure both.

    Raises StepFailed (booking_missing) when no booking is served on the stack that is installed, and what stops an
    installation.
    """
    return asyncio.run(_bench(stack, ssh_key))


async def _bench(stack: Path, ssh_key: Path) -> InstallationFigures:
    student = ImpatientStudent(stack)
    waiting = asyncio.create_task(student.seconds_to_seat())
    try:
        seconds_first, first = await _install(stack, ssh_key)
        seconds_to_booking = await asyncio.wait_for(waiting, _BOOKING_SECONDS)
    except TimeoutError:
        message = f"The stack is installed, but {_BOOKING_SECONDS:.0f} s later no booking had been served."
        raise StepFailed(message, reason="booking_missing", detail=student.told) from None
    finally:
        waiting.cancel()
    seconds_again, again = await _install(stack, ssh_key)
    return InstallationFigures(
        seconds_first=seconds_first,
        seconds_to_booking=round(seconds_to_booking, 1),
        seconds_again=seconds_again,
        changed_again=sum(len(report.changed) for report in again),
        first=tuple(map(_figures, first)),
        again=tuple(map(_figures, again)),
    )


async def _install(stack: Path, ssh_key: Path) -> tuple[float, Sequence[RoleReport]]:
    begun = time.monotonic()
    with unrecorded():
        reports = await install_stack.fn(str(stack), str(ssh_key))
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

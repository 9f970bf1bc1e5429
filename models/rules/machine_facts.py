"""What a machine is, and whether it can be made part of a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from models.errors import Problem, Severity

# What the installer is tried on: the distribution's own Python, PostgreSQL and systemd are used.
DISTRIBUTIONS = {"debian": ("12", "13"), "ubuntu": ("24.04",)}
ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_PYTHON = (3, 11)
LARGEST_CLOCK_OFFSET_SECONDS = 30.0


@dataclass(frozen=True)
class Unknown:
    """A fact that can't be told, and why."""

    reason: str


@dataclass(frozen=True)
class Listener:
    """A TCP port that is listened on, and the unit of systemd that does so, as far as known."""

    port: int
    unit: str = ""


@dataclass(frozen=True)
class Facts:
    """What is so on a machine. Each fact is a value, None where there is none, or Unknown.

    `free_mb` are the megabytes (of 2^20 bytes) left for root on the disks of some folders, `memory_mb` those of
    memory. `clock_offset_seconds` is how much its clock is ahead of ours. `apt_lock_holder` is the number of
    the process that is at work on packages. `roles` are those that an installer has put there.
    """

    distribution: str | Unknown | None
    version: str | Unknown | None
    architecture: str | Unknown | None
    python: str | Unknown | None
    is_root: bool | Unknown | None
    systemd: str | Unknown | None
    free_mb: Mapping[str, int] | Unknown | None
    memory_mb: int | Unknown | None
    cpus: int | Unknown | None
    listeners: tuple[Listener, ...] | Unknown | None
    addresses: tuple[str, ...] | Unknown | None
    clock_offset_seconds: float | Unknown | None
    apt_lock_holder: int | Unknown | None
    roles: tuple[str, ...] | Unknown | None = ()


@dataclass(frozen=True)
class Needs:
    """What the roles of a machine need of it.

    `ports` maps each port that they listen on to the units that may have it already: their own. `free_mb` is
    what must be left on the disk of a folder before they are installed.
    """

    ports: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    free_mb: Mapping[str, int] = field(default_factory=dict)
    memory_mb: int = 0


def problems(machine: str, facts: Facts, needs: Needs) -> list[Problem]:
    """Return all reasons why a machine can't be installed, and what is worth a warning; `path` is its name."""
    checks = (_system_problems, _resource_problems, _port_problems, _passing_problems)
    found = [problem for check in checks for problem in check(machine, facts, needs)]
    for name, value in vars(facts).items():
        if isinstance(value, Unknown):
            what = f"The fact {name} can't be told: {value.reason}"
            found.append(_problem(machine, name, what, "Look at the machine, and try again."))
    return found


def _system_problems(machine: str, facts: Facts, needs: Needs) -> Iterator[Problem]:
    if not _is_supported(facts):
        what = f"It runs {facts.distribution or 'an unnamed system'} {facts.version or ''}".rstrip() + "."
        yield _problem(machine, "distribution", what, "Use Debian 12 or 13, or Ubuntu 24.04.")
    if not isinstance(facts.architecture, Unknown) and facts.architecture not in ARCHITECTURES:
        what = f"Its processor is a {facts.architecture}."
        yield _problem(machine, "architecture", what, f"Use one of {', '.join(ARCHITECTURES)}.")
    if isinstance(facts.python, str) and _numbers(facts.python) < OLDEST_PYTHON:
        what = f"Its Python is {facts.python}."
        yield _problem(machine, "python", what, f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.")
    if facts.is_root is False:
        what = "The installer's account is not root there and can't become root."
        yield _problem(machine, "is_root", what, "Let it use sudo without a password.")
    if facts.systemd is None or facts.systemd in ("offline", "maintenance", "stopping"):
        what = f"systemd is not in charge of it ({facts.systemd or 'not running'})."
        yield _problem(machine, "systemd", what, "Boot it with systemd, and wait until it is up.")
    elif facts.systemd == "degraded":
        what, remedy = "Some of its units have failed.", "See `systemctl --failed` there."
        yield _problem(machine, "systemd", what, remedy, Severity.WARNING)


def _is_supported(facts: Facts) -> bool:
    if isinstance(facts.distribution, Unknown) or isinstance(facts.version, Unknown):
        return True  # that it can't be told is a problem of its own
    return facts.version in DISTRIBUTIONS.get(facts.distribution or "", ())


def _resource_problems(machine: str, facts: Facts, needs: Needs) -> Iterator[Problem]:
    free = facts.free_mb if isinstance(facts.free_mb, Mapping) else {}
    for folder, needed in needs.free_mb.items():
        if folder in free and free[folder] < needed:
            what = f"{free[folder]} MB are free on the disk of {folder}; {needed} MB are needed."
            yield _problem(machine, "free_mb", what, "Make room there, or use a larger disk.")
    if isinstance(facts.memory_mb, int) and facts.memory_mb < needs.memory_mb:
        what = f"It has {facts.memory_mb} MB of memory; its roles want {needs.memory_mb} MB."
        remedy = "Give it more memory, or fewer or smaller seats."
        yield _problem(machine, "memory_mb", what, remedy, Severity.WARNING)


def _port_problems(machine: str, facts: Facts, needs: Needs) -> Iterator[Problem]:
    for listener in facts.listeners if isinstance(facts.listeners, tuple) else ():
        own = needs.ports.get(listener.port)
        if own is not None and listener.unit not in own:
            what = (
                f"The port {listener.port} is taken by {listener.unit or 'a process that is no unit of systemd'}."
            )
            yield _problem(machine, "listeners", what, "Stop that, or choose another port in the stack file.")


def _passing_problems(machine: str, facts: Facts, needs: Needs) -> Iterator[Problem]:
    offset = facts.clock_offset_seconds
    if isinstance(offset, float) and abs(offset) > LARGEST_CLOCK_OFFSET_SECONDS:
        what = f"Its clock is {abs(offset):.0f} seconds {'ahead of' if offset > 0 else 'behind'} this machine's."
        yield _problem(machine, "clock_offset_seconds", what, "Set both right: let them follow a time server.")
    if isinstance(facts.apt_lock_holder, int):
        what = f"Process {facts.apt_lock_holder} is at work on its packages."
        remedy = "The installer waits for that to end."
        yield _problem(machine, "apt_lock_holder", what, remedy, Severity.WARNING)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _problem(machine: str, name: str, message: str, remedy: str, severity: Severity = Severity.ERROR) -> Problem:
    return Problem(machine, 0, 0, message, remedy, severity, name)

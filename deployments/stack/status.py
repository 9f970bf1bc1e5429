"""How each service of a platform is doing."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from deployments.stack.credentials import read_secret
from deployments.stack.database import why_engine_not_ready
from deployments.stack.layout import Layout
from deployments.stack.plan import Plan
from deployments.stack.probes import why_not_ready
from deployments.stack.supervision import Supervised, Supervisor
from models.store.backends import BackendCondition, backend_conditions
from models.store.condition import DATABASE_AWAY, TABLES_MISSING
from models.store.database import Database

_SINGLE_USER = "jupyterhub-singleuser"


@dataclass(frozen=True)
class ServiceStatus:
    """A service now: `state` as supervisord names it, `reason` why it isn't ready.

    `seconds` is its uptime, `memory_mb` the proportional set size of it and its children, `cpu_seconds` what
    they and their ended children have used; `restarts` counts since the platform was started.
    """

    name: str
    state: str
    ready: bool
    reason: str
    seconds: int
    port: int
    restarts: int
    memory_mb: float | None = None
    cpu_seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain JSON values."""
        return asdict(self)


def look(
    layout: Layout, plan: Plan, *, with_usage: bool = False, believed: frozenset[str] = frozenset()
) -> list[ServiceStatus]:
    """Return the status of every service, in the order of the table.

    Those in `believed` are ready as long as they run, and aren't asked.
    """
    try:
        supervised = Supervisor(Path(plan.socket)).services()
    except OSError:
        supervised = {}
    names = list(plan.services)
    with ThreadPoolExecutor(len(names)) as pool:
        reasons = pool.map(
            lambda name: (
                _why_not_running(supervised.get(name))
                or (name not in believed and _why_not_ready(layout, plan, name))
                or ""
            ),
            names,
        )
    return [
        _status(layout, plan, name, supervised.get(name), reason, with_usage=with_usage)
        for name, reason in zip(names, reasons, strict=True)
    ]


def look_at_backends(layout: Layout) -> list[BackendCondition]:
    """Return how the backends are doing, by number; none while the database is away."""
    return asyncio.run(_look_at_backends(read_secret(layout, "database_url")))


async def _look_at_backends(database_url: str) -> list[BackendCondition]:
    database = Database(database_url)
    try:
        async with database.transaction() as session:
            return await backend_conditions(session)
    except (*DATABASE_AWAY, TABLES_MISSING):
        return []
    finally:
        await database.close()


def students_memory_mb(plan: Plan) -> float:
    """Return what the students' servers take, which no service's memory includes."""
    with suppress(OSError):
        hub = Supervisor(Path(plan.socket)).services().get("hub")
        return sum(_memory_mb(each) for each in _tree(hub.pid) if _is_students(each)) if hub else 0.0
    return 0.0


def starts(layout: Layout, name: str) -> int:
    """Return how often a service has been started since the platform was."""
    with suppress(FileNotFoundError):
        return len((layout.run / "starts" / name).read_text().splitlines())
    return 0


def _status(
    layout: Layout, plan: Plan, name: str, supervised: Supervised | None, reason: str, *, with_usage: bool
) -> ServiceStatus:
    memory_mb = cpu_seconds = None
    if with_usage and supervised:
        own = [each for each in _tree(supervised.pid) if not _is_students(each)]
        memory_mb = round(sum(_memory_mb(each) for each in own), 1)
        cpu_seconds = round(sum(_cpu_seconds(each) for each in own), 2)
    return ServiceStatus(
        name=name,
        state=supervised.state if supervised else "unsupervised",
        ready=not reason,
        reason=reason,
        seconds=supervised.seconds if supervised else 0,
        port=plan.ports.get(name, 0),
        restarts=max(0, starts(layout, name) - 1),
        memory_mb=memory_mb,
        cpu_seconds=cpu_seconds,
    )


def _why_not_running(supervised: Supervised | None) -> str:
    if supervised is None:
        return "supervisord does not answer"
    if not supervised.pid:
        return f"is {supervised.state}"
    with suppress(psutil.Error):
        if psutil.Process(supervised.pid).status() == psutil.STATUS_STOPPED:
            return "is stopped by a signal"
    return ""


def _why_not_ready(layout: Layout, plan: Plan, name: str) -> str:
    probe = plan.services[name]["probe"]
    return why_engine_not_ready(layout) if probe == "engine://" else why_not_ready(probe)


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _is_students(process: psutil.Process) -> bool:
    """Whether a process is a student's server, or a kernel or terminal below one."""
    with suppress(psutil.Error):
        return any(_SINGLE_USER in " ".join(each.cmdline()) for each in (process, *process.parents()))
    return False


def _memory_mb(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_full_info().pss) / 1e6
    return 0.0


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        used = process.cpu_times()
        return float(used.user + used.system + used.children_user + used.children_system)
    return 0.0

"""Bringing a platform up, and taking it down so that nothing of it is left running."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from deployments.stack import accounts as system_accounts
from deployments.stack.accounts import Account, account_name, give, is_root
from deployments.stack.credentials import deliver, ensure_database_urls, ensure_secrets, is_database_embedded
from deployments.stack.database import ensure_cluster
from deployments.stack.environment import base_environment, given_settings
from deployments.stack.layout import Layout
from deployments.stack.plan import Plan, read_plan, write_plan
from deployments.stack.preflight import check, ensure_state
from deployments.stack.processes import end_processes, platform_processes
from deployments.stack.services import Service, services
from deployments.stack.source import ensure_open_source
from deployments.stack.status import ServiceStatus, look, starts
from deployments.stack.supervision import Supervisor, start_supervisord, write_configuration
from models.errors import StepFailed
from models.settings import Settings
from tasks.adapters.machine import LocalMachine
from tasks.seats import halt_seats, remove_seats

READY_WITHIN_SECONDS = 240
_MOST_STARTS = 4
_LOOK_SECONDS = 0.15
_STOP_MARGIN_SECONDS = 5
_LOG_LINES = 15


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Let one process at a time start the platform; others wait here until that is done."""
    handle = os.open(layout.state, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def running_plan(layout: Layout) -> Plan | None:
    """Return what the platform was started with if its supervisord runs."""
    plan = read_plan(layout)
    return plan if plan and Supervisor(Path(plan.socket)).is_alive() else None


def prepare_start(layout: Layout, settings: Settings, only: frozenset[str] = frozenset()) -> Plan:
    """Make all that the services need, or refuse naming all that is wrong; nothing runs yet.

    `only` names the services to have, for tests of a part; empty: all of them.
    """
    os.umask(0o022)
    ensure_state(layout.state)
    end_processes(layout)  # a supervisord that was killed leaves its services
    is_embedded = is_database_embedded(layout)
    check(settings, layout, is_database_embedded=is_embedded)
    ensure_secrets(layout)
    ensure_database_urls(layout, settings.port("database"), is_embedded=is_embedded)
    shutil.rmtree(layout.run, ignore_errors=True)
    for folder in (layout.run, layout.run / "credentials", layout.run / "home", layout.run / "starts"):
        folder.mkdir(mode=0o711)
    layout.logs.mkdir(mode=0o750, exist_ok=True)
    open_layout = ensure_open_source(layout)
    table = [
        service
        for service in services(settings, open_layout, is_database_embedded=is_embedded)
        if not only or service.name in only
    ]
    owners = _ensure_accounts(settings, table)
    if any(service.name == "database" for service in table):
        ensure_cluster(layout, owners.get("database"))
    for service in table:
        _ensure_folders(layout, service, owners.get(service.name))
        deliver(layout, service, owners.get(service.name))
    socket = write_configuration(layout, table)
    return write_plan(layout, settings, table, owners, str(socket))


def bring_up(layout: Layout, plan: Plan) -> Iterator[list[ServiceStatus]]:
    """Start everything, and yield how far it is several times a second, until all is ready.

    Raises StepFailed (`service_not_ready`), with the end of the log, when a service keeps failing or takes
    too long. What has started then goes on running: the caller takes it down.
    """
    supervisord = start_supervisord(layout)
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    preparation: subprocess.Popen[bytes] | None = None
    ready: frozenset[str] = frozenset()
    while True:
        statuses = look(layout, plan, believed=ready)
        yield statuses
        ready = frozenset(status.name for status in statuses if status.ready)
        if len(ready) == len(statuses):
            return
        if preparation is None and plan.uses_database and ready >= plan.services.keys() & {"database"}:
            preparation = _start_preparation(layout)
        if supervisord.poll() is not None:
            raise _not_ready(layout, "The supervisor of the services", "supervisord-start")
        if preparation and preparation.poll():
            raise _not_ready(layout, "The tables of the database", "prepare")
        for name in plan.services:
            is_late = time.monotonic() > deadline or starts(layout, name) > _MOST_STARTS
            if name not in ready and is_late:
                raise _not_ready(layout, f"The service {name}", name)
        time.sleep(_LOOK_SECONDS)


def is_supervised(plan: Plan) -> bool:
    """Whether the platform's supervisord still runs."""
    return Supervisor(Path(plan.socket)).is_alive()


def take_down(layout: Layout) -> int:
    """Stop the platform, whatever state it is in; return how many processes had to be ended by force."""
    plan = read_plan(layout)
    if plan:
        _stop_supervised(plan)
    leftovers = end_processes(layout)
    if plan:
        with suppress(StepFailed):
            asyncio.run(halt_seats(LocalMachine(), Path(plan.homes), isolation=plan.isolation))
        if Path(plan.socket).parent != layout.run:
            shutil.rmtree(Path(plan.socket).parent, ignore_errors=True)
    shutil.rmtree(layout.run, ignore_errors=True)
    return leftovers


def purge(layout: Layout, settings: Settings) -> None:
    """Remove everything of a platform that is down: seats, accounts, and all its entries in the state folder."""
    if layout.secrets.is_dir() and settings.homes.is_dir():
        _remove_seats(layout, settings)
    if is_root():
        for service in services(settings, layout, is_database_embedded=True):
            if not service.is_trusted:
                system_accounts.remove_account(account_name(settings.port_base, service.name))
    for path in layout.entries():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    with suppress(OSError):
        layout.state.rmdir()


def remove_left_seats(layout: Layout, settings: Settings) -> bool:
    """Remove the seats of a platform whose state folder was deleted by hand; tell whether any were left."""
    if layout.state.exists():
        return False
    were_there = _remove_seats(layout, settings)
    with suppress(OSError):
        layout.state.rmdir()
    return were_there


def _remove_seats(layout: Layout, settings: Settings) -> bool:
    homes, owner = settings.homes.absolute(), str(layout.state)
    return asyncio.run(remove_seats(LocalMachine(), homes, owner=owner, isolation=settings.isolation))


def is_running(layout: Layout) -> bool:
    """Whether anything of the platform runs, supervised or not."""
    return bool(platform_processes(layout))


def _ensure_accounts(settings: Settings, table: list[Service]) -> dict[str, Account]:
    if not is_root():
        return {}
    return {
        service.name: system_accounts.ensure_account(account_name(settings.port_base, service.name))
        for service in table
        if not service.is_trusted
    }


def _ensure_folders(layout: Layout, service: Service, account: Account | None) -> None:
    for folder in (*map(Path, service.folders), layout.service_home(service.name)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account:
            give(folder, account)


def _start_preparation(layout: Layout) -> subprocess.Popen[bytes]:
    environment = base_environment(layout) | given_settings() | {"WOD_STATE": str(layout.state)}
    with layout.log("prepare").open("ab") as log:
        return subprocess.Popen(
            [layout.python, "-m", "deployments.stack.database"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=environment,
        )  # fmt: skip


def _not_ready(layout: Layout, what: str, log: str) -> StepFailed:
    path = layout.log(log)
    lines = path.read_text(errors="replace").splitlines()[-_LOG_LINES:] if path.exists() else []
    return StepFailed(
        f"{what} did not get ready. The end of {path}:\n" + "\n".join(f"    {line}" for line in lines),
        reason="service_not_ready",
        detail=log,
    )


def _stop_supervised(plan: Plan) -> None:
    supervisor = Supervisor(Path(plan.socket))
    with suppress(OSError, psutil.Error):
        process = psutil.Process(supervisor.pid())
        supervisor.shut_down()
        seconds = [service["stop_seconds"] for service in plan.services.values()]
        process.wait(timeout=2 * max(seconds) + _STOP_MARGIN_SECONDS)

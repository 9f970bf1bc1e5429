"""wod bench: what things cost, measured on a platform of its own, or on the machines of a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.console import errors, output

app = typer.Typer(help="Measure what things cost.", no_args_is_help=True)

_SAMPLES = Path(__file__).parents[2] / "deployments" / "workshops"


@app.callback()
def bench() -> None:
    """Measure what things cost."""


@app.command()
def booking(
    count: Annotated[int, typer.Option(min=1, help="How many bookings to make.")] = 5,
    burst: Annotated[bool, typer.Option("--burst", help="Make all at once, not one after the other.")] = False,
    seats: Annotated[int, typer.Option(min=1, help="How many seats the backend has.")] = 100,
    workshop: Annotated[
        Path, typer.Option(metavar="DIR", help="The workshop to book; its seats and capacity are set to all.")
    ] = _SAMPLES / "WKSHP-Python-First-Steps",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the time from a booking to its credentials mail, and the CPU that it takes, by service.

    This brings up a platform of its own, beside all others.
    """
    from deployments.bench.booking import bench_booking

    with errors.status("Measuring; this takes a minute or two …"):
        figures = bench_booking(workshop.resolve(), count=count, seats=seats, is_burst=burst)
    if as_json:
        typer.echo(json.dumps(figures.as_dict(), indent=2))
        return
    refused = ", ".join(f"{number} {reason}" for reason, number in figures.refused.items())
    for line in (
        f"{figures.workshop}: {figures.accepted} of {figures.asked} bookings accepted"
        + (f" ({refused}, {figures.refusals_with_retry_time} told when to try again)" if refused else ""),
        f"Credentials mails: {figures.credentials_mails}, for {figures.distinct_seats} different seats",
        f"From booking to mail: median {figures.seconds_median:.2f} s, last {figures.seconds_last:.2f} s",
        f"CPU a booking: {figures.cpu_per_booking_total:.2f} s",
        *(f"    {name:<18} {seconds:6.3f} s" for name, seconds in figures.cpu_per_booking.items()),
        f"Platform: up in {figures.seconds_up:.1f} s; at rest {figures.rest_cpu_percent:.1f} % of a core and"
        f" {figures.rest_memory_mb:.0f} MB",
    ):
        output.print(line, highlight=False, markup=False)


@app.command()
def load(
    sessions: Annotated[int, typer.Option(min=1, help="How many pages of the catalog are open.")] = 200,
    rate: Annotated[float, typer.Option(min=0.1, help="How many students try to book each second.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 60,
    seats: Annotated[int, typer.Option(min=1, help="How many seats the backend has.")] = 100,
    workshop: Annotated[
        Path, typer.Option(metavar="DIR", help="The workshop to book; its seats and capacity are set to all.")
    ] = _SAMPLES / "WKSHP-Python-First-Steps",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let students rush at the API while catalog pages are open; fails when a promise is broken.

    This brings up a platform of its own, beside all others.
    """
    from deployments.bench.load import bench_load

    with errors.status("Measuring; this takes minutes …"):
        figures = bench_load(workshop.resolve(), sessions=sessions, rate=rate, seconds=seconds, seats=seats)
    if as_json:
        typer.echo(json.dumps(figures.as_dict(), indent=2))
    else:
        answers = ", ".join(f"{count} {reason}" for reason, count in figures.answers.items())
        pages = {"catalog pages": figures.pages} if figures.pages else {}
        for line in (
            f"{sessions} catalog sessions, {rate:g} attempts a second for {seconds:g} s, {seats} seats: {answers}",
            f"{'milliseconds':<18} {'answers':>8} {'p50':>8} {'p95':>8} {'p99':>8} {'longest':>8}",
            *(
                f"{name:<18} {each.answers:8} {each.p50:8.0f} {each.p95:8.0f} {each.p99:8.0f} {each.longest:8.0f}"
                for name, each in (figures.routes | pages).items()
            ),
            f"{figures.ready} of {figures.booked} bookings became ready",
            *(figures.wrong or ["No promise was broken"]),
        ):
            output.print(line, highlight=False, markup=False, soft_wrap=True)
    if figures.wrong:
        raise typer.Exit(1)


@app.command()
def install(
    stack: Annotated[Path, typer.Argument(metavar="STACK", help="The stack.yaml.")],
    ssh_key: Annotated[
        Path, typer.Option("--ssh-key", metavar="FILE", help="Private key that logs in to the machines.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Install a stack, booking a seat meanwhile, and install it once more; show where the time goes."""
    from deployments.bench.installation import bench_installation
    from tasks.installation_pages import LEGEND, bar

    with errors.status("Installing twice …"):
        figures = bench_installation(stack.absolute(), ssh_key.absolute())
    if as_json:
        typer.echo(json.dumps(figures.as_dict(), indent=2))
        return
    longest = max((each.seconds for each in figures.first), default=0) or 1
    for each in figures.first:
        shown = bar(each.seconds, each.loading_seconds, longest)
        line = f"{each.machine:<16} {each.role:<10} {each.seconds:7.1f} s  {shown}"
        output.print(line, highlight=False, soft_wrap=True)
    for line in (
        LEGEND,
        f"Installed in {figures.seconds_first:.1f} s, each role in one ssh round trip after one for the facts",
        f"The first booking was ready after {figures.seconds_to_booking:.1f} s",
        f"Again in {figures.seconds_again:.1f} s, {figures.changed_again} things changed",
    ):
        output.print(line, highlight=False, markup=False)

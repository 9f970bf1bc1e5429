"""wod catalog: checking workshops and taking them in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.console import print_problems

app = typer.Typer(help="Check workshops, and take them into the catalog.", no_args_is_help=True)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="A catalog of WKSHP-… folders, or one workshop.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report every problem of every workshop; exit 1 if any workshop can't be offered."""
    from models.settings import load_settings
    from tasks.catalog_sync import check_catalog

    reports = check_catalog(folder, load_settings())
    problems = [problem for report in reports for problem in report.problems]
    broken = [report.key for report in reports if not report.can_be_offered]
    if as_json:
        workshops = [
            {
                "workshop": report.key,
                "can_be_offered": report.can_be_offered,
                "is_active": bool(report.manifest and report.manifest.active),
                "problems": [problem.as_dict() for problem in report.problems],
            }
            for report in reports
        ]
        typer.echo(json.dumps({"workshops": workshops}, indent=2))
    else:
        print_problems(problems)
        good = len(reports) - len(broken)
        typer.echo(f"{good} of {len(reports)} workshops can be offered.")
    raise typer.Exit(1 if broken else 0)


@app.command()
def sync(
    source: Annotated[str, typer.Argument(help="A folder on this machine, or a git repository's address.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Offer what is valid, leave out what is not, retire what vanished; running bookings go on."""
    from models.settings import load_settings
    from models.store.database import Database
    from tasks.catalog_sync import SyncReport, sync_workshops

    settings = load_settings()

    async def run() -> SyncReport:
        database = Database(settings.secret("database_url"))
        try:
            return await sync_workshops(database, settings, source)
        finally:
            await database.close()

    report = asyncio.run(run())
    if as_json:
        fields = {**vars(report), "problems": [problem.as_dict() for problem in report.problems]}
        typer.echo(json.dumps(fields, indent=2))
        return
    print_problems(report.problems)
    for word, keys in (
        ("Taken in", report.changed),
        ("Unchanged", report.unchanged),
        ("Left out", report.left_out),
        ("Retired", report.retired),
    ):
        if keys:
            typer.echo(f"{word}: {', '.join(keys)}")

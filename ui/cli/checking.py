"""wod check: a stack of machines that runs, or the code."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import Refused, StepFailed
from ui.cli.console import output

if TYPE_CHECKING:
    from tasks.verdicts import Verdict

app = typer.Typer()

_COLORS = {"good": "green", "warning": "yellow", "bad": "red"}


@app.command()
def check(
    stack: Annotated[
        Path | None, typer.Argument(metavar="[STACK]", help="The stack.yaml; without one, the code is checked.")
    ] = None,
    ssh_key: Annotated[
        Path | None, typer.Option("--ssh-key", metavar="FILE", help="Private key that logs in to the machines.")
    ] = None,
    mail_to: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Who gets the mails of the check; the sender, if left out.")
    ] = "",
    workshop: Annotated[
        str, typer.Option(metavar="KEY", help="Workshop to book; the first of the catalog, if left out.")
    ] = "",
    books: Annotated[bool, typer.Option("--booking/--no-booking", help="Try a booking on each backend.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check that a stack does what it is there for, or without one the code; exit 1 if anything is wrong."""
    if stack is None:
        from ui.cli.development import check_code

        check_code()
        return
    if ssh_key is None:
        raise Refused("Name the key that logs in to the machines: --ssh-key FILE.", reason="ssh_key_missing")
    found: list[Verdict] = []
    is_well = _run(stack, ssh_key, mail_to, workshop, books, found, shows=not as_json)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    elif is_well:
        output.print(f"The stack is well: {len(found)} things were looked at.", highlight=False)
    raise typer.Exit(0 if is_well else 1)


def _run(
    stack: Path, ssh_key: Path, mail_to: str, workshop: str, books: bool, found: list[Verdict], *, shows: bool
) -> bool:
    """Run the flow, as a run in Prefect where PREFECT_API_URL names a server; tell whether nothing is wrong."""
    from flows.check_stack import check_stack
    from tasks.recording import unrecorded
    from tasks.verdicts import hear_verdicts

    def hear(verdict: Verdict) -> None:
        found.append(verdict)
        if shows:
            output.print(f"[{_COLORS[verdict.level]}]{verdict.level:<8}[/]", end="", highlight=False)
            output.print(str(verdict), highlight=False, markup=False, soft_wrap=True)

    given = (str(stack.absolute()), str(ssh_key.absolute()), mail_to, workshop, books)

    async def run() -> None:
        hear_verdicts(hear)
        if os.environ.get("PREFECT_API_URL"):
            await check_stack(*given)
            return
        with unrecorded():
            await check_stack.fn(*given)

    try:
        asyncio.run(run())
    except StepFailed as error:
        if error.reason != "stack_unwell":
            raise
        return False
    return True

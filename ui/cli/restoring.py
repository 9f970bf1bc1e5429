"""wod backup and restore: the database of a stack, saved and put back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ui.cli.console import output
from ui.cli.installing import AsJson, SshKey, StackFile

if TYPE_CHECKING:
    from tasks.adapters.machine import Machine
    from tasks.restoring import Backup

app = typer.Typer()
Answer = TypeVar("Answer")


@app.command()
def backup(stack: StackFile, ssh_key: SshKey, as_json: AsJson = False) -> None:
    """Save the database of a stack now; backups are kept on the machine of the API."""
    from tasks.restoring import back_up

    _show([_on_api_machine(stack, ssh_key, back_up)], as_json=as_json)


@app.command()
def restore(
    stack: StackFile,
    ssh_key: SshKey,
    backup: Annotated[str, typer.Option(metavar="NAME", help="The backup to put back; none: list them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of a stack's database, or list the backups that there are.

    Bookings are not taken meanwhile. What the database held until then is kept until the next backup.
    """
    from tasks import restoring

    if not backup:
        _show(_on_api_machine(stack, ssh_key, restoring.list_backups), as_json=as_json)
        return
    _on_api_machine(stack, ssh_key, lambda machine: restoring.restore(machine, backup))
    output.print(
        f"{backup} is in place, and the engine catches up with the machines.", highlight=False, soft_wrap=True
    )


def _on_api_machine(stack: Path, ssh_key: Path, work: Callable[[Machine], Awaitable[Answer]]) -> Answer:
    from tasks.restoring import api_machine

    async def run() -> Answer:
        async with api_machine(stack, ssh_key) as machine:
            return await work(machine)

    return asyncio.run(run())


def _show(backups: list[Backup], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in backups], indent=2))
        return
    for each in backups:
        output.print(f"{each.name}  {each.size_bytes / 1e6:.1f} MB", highlight=False)
    if not backups:
        output.print("There is no backup yet: `wod backup` makes one, and the machine does every night.")

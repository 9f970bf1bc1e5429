"""wod install, plan and uninstall: making machines what a stack.yaml says."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ui.cli.console import output

if TYPE_CHECKING:
    from tasks.machines import RoleReport

app = typer.Typer()

StackFile = Annotated[Path, typer.Argument(metavar="STACK", help="The stack.yaml.")]
SshKey = Annotated[
    Path, typer.Option("--ssh-key", metavar="FILE", help="Private key that logs in to the machines.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]

_SLOWEST = 8


@app.command()
def install(stack: StackFile, ssh_key: SshKey, as_json: AsJson = False) -> None:
    """Make the machines of a stack what it says, all at once; what is so already is left alone."""
    from flows.install_stack import install_stack
    from models.stack_manifest import read_stack
    from tasks.installation_pages import addresses

    manifest = read_stack(stack)
    reports = _run(install_stack, stack, ssh_key)
    _show(reports, as_json=as_json, done="changed")
    if not as_json:
        for what, url in addresses(manifest).items():
            output.print(f"{what:<22} {url}", highlight=False, soft_wrap=True)


@app.command()
def plan(stack: StackFile, ssh_key: SshKey, as_json: AsJson = False) -> None:
    """Show what an installation would change, machine by machine; nothing is changed."""
    from flows.plan_stack import plan_stack

    reports = _run(plan_stack, stack, ssh_key, tells_changes=False)
    _show(reports, as_json=as_json, done="would change")


@app.command()
def uninstall(
    stack: StackFile,
    ssh_key: SshKey,
    machine: Annotated[str, typer.Option(help="The machine.")],
    role: Annotated[str, typer.Option(help="The role to take off it.")],
    as_json: AsJson = False,
) -> None:
    """Take a role off a machine; packages stay, and what people made there."""
    from flows.uninstall_role import uninstall_role

    reports = _run(uninstall_role, stack, ssh_key, machine, role)
    _show(reports, as_json=as_json, done="taken off")


def _run(flow: Any, stack: Path, ssh_key: Path, *arguments: str, tells_changes: bool = True) -> list[RoleReport]:
    """Run a flow: as a run in Prefect where PREFECT_API_URL names a server, else as its plain function."""
    from tasks.installation import hear_progress
    from tasks.recording import unrecorded
    from ui.cli.progress import Progress

    given = (str(stack.absolute()), str(ssh_key.absolute()), *arguments)

    async def run() -> list[RoleReport]:
        with Progress(tells_changes=tells_changes) as progress:
            hear_progress(progress.hear)
            if os.environ.get("PREFECT_API_URL"):
                return cast("list[RoleReport]", await flow(*given))
            with unrecorded():
                return cast("list[RoleReport]", await flow.fn(*given))

    return asyncio.run(run())


def _show(reports: list[RoleReport], *, as_json: bool, done: str) -> None:
    from tasks.installation_pages import slowest

    if as_json:
        typer.echo(json.dumps([asdict(each) for each in reports], indent=2))
        return
    for report in reports:
        output.print(
            f"{report.machine:<16} {report.role:<10} {len(report.changed):>3} of {len(report.outcomes)} {done},"
            f" {report.seconds:.1f} s",
            highlight=False,
        )
        if done == "would change":
            for each in report.changed:
                output.print(f"    {each.key}", style="bold", highlight=False, markup=False)
                for line in each.detail.splitlines():
                    output.print(f"        {line}", highlight=False, markup=False, soft_wrap=True)
    if done == "changed":
        for machine, role, outcome in slowest(reports, _SLOWEST):
            if outcome.seconds >= 1:
                output.print(f"{outcome.seconds:7.1f} s  {machine} {role}: {outcome.key}", highlight=False)

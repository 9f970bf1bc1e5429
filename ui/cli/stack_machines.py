"""wod stack machines: everything that the installer does to machines, told by the roles themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.stack_manifest import StackManifest, parse_stack, read_stack
from ui.cli.console import output

if TYPE_CHECKING:
    from models.resources import Resource
    from tasks.roles.context import RoleContext

_REFERENCE = Path(__file__).parents[2] / "deployments/examples/reference.yaml"
# So that every role is there.
_FURTHER = "appliances:\n  - machine: appliance1.local\n"


def machines(
    file: Annotated[
        Path | None, typer.Argument(metavar="STACK", help="A stack.yaml; none: the reference, with an appliance.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it role by role, as in docs/machines.md.")
    ] = False,
) -> None:
    """Tell everything that the installer does to the machines of a stack, and why; no machine is asked."""
    from tasks.roles.imagined import imagined_context

    stack = read_stack(file) if file else _reference()
    context = asyncio.run(imagined_context(stack))
    if as_markdown:
        typer.echo("\n".join(_page(context)))
        return
    for machine in stack.machine_names:
        for role in stack.roles_of(machine):
            output.print(f"{machine}: {role}", style="bold", highlight=False)
            for what, why in _rows(context, machine, role):
                output.print(f"    {why}", highlight=False, markup=False)
                for each in what:
                    output.print(f"        {each}", highlight=False, markup=False, soft_wrap=True)


def _reference() -> StackManifest:
    stack, problems = parse_stack(_REFERENCE.read_text() + _FURTHER, str(_REFERENCE))
    if stack is None:
        raise ValueError(f"{_REFERENCE}: {problems}")
    return stack


def _page(context: RoleContext) -> Iterator[str]:
    stack, shown = context.stack, set()
    for machine in stack.machine_names:
        for role in stack.roles_of(machine):
            if role not in shown:
                shown.add(role)
                yield from ("", f"### {role}", "", "| what | why |", "|---|---|")
                for what, why in _rows(context, machine, role):
                    yield f"| {'<br>'.join(_in_code(each) for each in what)} | {why} |"


def _in_code(line: str) -> str:
    kind, _, names = line.partition(" ")
    return line if kind == "command" else f"{kind} " + re.sub(r"[^ …]+", lambda found: f"`{found[0]}`", names)


def _rows(context: RoleContext, machine: str, role: str) -> Iterator[tuple[list[str], str]]:
    """Yield what a role makes so for one reason, and that reason."""
    from tasks.roles.table import ROLES

    by_reason: dict[str, list[Resource]] = {}
    for each in ROLES[role](context, machine):
        by_reason.setdefault(each.why, []).append(each)
    for why, resources in by_reason.items():
        yield list(_lines(resources)), why


def _lines(resources: Iterable[Resource]) -> Iterator[str]:
    """Yield resources one a line, but accounts that differ in a number only in one."""
    from models.resources import Account, Command, Packages

    def alike(each: Resource) -> str:
        return re.sub(r"\d+$", "", each.key) if isinstance(each, Account) else each.key

    for _, group in groupby(resources, key=alike):
        first, *others = group
        if isinstance(first, Packages):
            yield f"packages {' '.join(first.names)}"
        elif isinstance(first, Command):
            yield f"{first.key}{' (is undone)' if first.undo else ''}"
        else:
            yield f"{first.key} … {others[-1].key.partition(' ')[2]}" if others else first.key

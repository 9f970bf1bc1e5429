"""The `wod` command: one table of commands, each loaded only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from models.errors import WodError

# Command -> the module whose `app` holds it, or is it when it has commands of its own; its line in the help.
COMMANDS = {
    "up": ("ui.cli.stack", "Bring the whole platform up on this machine, and stay until Ctrl-C."),
    "down": ("ui.cli.stack", "Stop the platform; nothing of it is left running."),
    "status": ("ui.cli.stack", "Show how each service is doing."),
    "logs": ("ui.cli.stack", "Show the log of a service."),
    "demo": ("ui.cli.demo", "Bring the platform up with a first student on it, and show what happens."),
    "stack": ("ui.cli.stack_file", "Write and check the description of a stack of machines."),
    "plan": ("ui.cli.installing", "Show what an installation of a stack would change."),
    "install": ("ui.cli.installing", "Make the machines of a stack what it says."),
    "uninstall": ("ui.cli.installing", "Take a role off a machine."),
    "backup": ("ui.cli.restoring", "Save the database of a stack now."),
    "restore": ("ui.cli.restoring", "Put a backup of a stack's database back, or list the backups."),
    "catalog": ("ui.cli.catalog", "Check workshops, and take them into the catalog."),
    "book": ("ui.cli.booking", "Book a workshop for a student, as the catalog does."),
    "user": ("ui.cli.users", "Add, change and remove those who manage the programme."),
    "key": ("ui.cli.keys", "Add, list and revoke the keys of partners' programs."),
    "student": ("ui.cli.students", "Forget a student who asks for it."),
    "feedback": ("ui.cli.feedback", "Show what people wanted to say."),
    "bench": ("ui.cli.bench", "Measure what bookings and installations cost."),
    "settings": ("ui.cli.settings", "Show all settings: value, source and meaning."),
    "check": ("ui.cli.checking", "Check that a stack is well; without one, the code: style, types, architecture."),
    "migration": ("ui.cli.development", "Write the migration for a change of the tables."),
    "test": ("ui.cli.development", "Run the tests."),
    "screenshots": ("ui.cli.development", "Take the pictures of the documentation anew."),
}


class LazyGroup(TyperGroup):
    """A group that imports a command's module only when that command runs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, help_line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=help_line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that runs, loaded."""
        name, _, rest = super().resolve_command(ctx, args)
        group = get_group(import_module(COMMANDS[str(name)][0]).app)
        return name, group.commands.get(str(name), group), rest


app = typer.Typer(cls=LazyGroup, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def wod(
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of all state; may stand after the command, too.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error comes from.")] = False,
) -> None:
    """Workshops on Demand: hands-on workshops on JupyterHub, booked by e-mail."""
    # Without links, as the services know it: the accounts of seats remember their homes by it.
    os.environ["WOD_STATE"] = str(Path(state or os.environ.get("WOD_STATE", ".wod")).resolve())
    global _is_debugging
    _is_debugging = debug


_is_debugging = False


def state_first(arguments: list[str]) -> list[str]:
    """Return the arguments with every `--state DIR` before the command, up to a bare `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    states, others, rest = [], [], iter(arguments[:end])
    for argument in rest:
        if argument == "--state":
            states += [argument, *([value] if (value := next(rest, None)) is not None else [])]
        elif argument.startswith("--state="):
            states.append(argument)
        else:
            others.append(argument)
    return [*states, *others, *arguments[end:]]


def main() -> None:
    """Run the command line; an error that a person has to know is told in its words, without a traceback."""
    try:
        app(state_first(sys.argv[1:]), prog_name="wod")
    except WodError as error:
        from ui.cli.console import errors

        if _is_debugging:
            raise
        errors.print(error.message, style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

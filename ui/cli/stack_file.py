"""wod stack: writing and checking the description of a stack of machines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from models.errors import Refused
from models.stack_check import section_of
from models.stack_manifest import StackManifest, load_stack
from ui.cli.console import print_problems
from ui.cli.stack_machines import machines

app = typer.Typer(help="Write and check the description of a stack of machines.", no_args_is_help=True)
app.command()(machines)

EXAMPLES = Path(__file__).parents[2] / "deployments" / "examples"
SCHEMA_FILE = "stack.schema.json"


@app.command()
def init(file: Annotated[Path, typer.Argument(help="File to write.")] = Path("stack.yaml")) -> None:
    """Write a stack.yaml to adapt, with a word on each field; a file that is there stays."""
    text = (EXAMPLES / "reference.yaml").read_text()
    text = text.replace(f"$schema={SCHEMA_FILE}", f"$schema={EXAMPLES / SCHEMA_FILE}")
    try:
        _write_new(file, text)
    except FileExistsError:
        raise Refused(f"{file} is there already. Name another file.", reason="file_exists") from None
    except OSError as error:
        raise Refused(f"{file} can't be written: {error.strerror}.", reason="file_not_written") from None
    typer.echo(f"{file} describes a stack of four machines. Adapt it, then run: wod stack validate {file}")


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A stack.yaml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report every problem of a stack.yaml; exit 1 if it can't be installed."""
    manifest, problems = load_stack(file)
    machines = {name: manifest.roles_of(name) for name in manifest.machine_names} if manifest else {}
    if as_json:
        report = {
            "can_be_installed": manifest is not None,
            "machines": machines,
            "problems": [problem.as_dict() for problem in problems],
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        print_problems(problems)
        for name, roles in machines.items():
            typer.echo(f"{name}: {', '.join(roles)}")
    raise typer.Exit(0 if manifest else 1)


@app.command()
def schema(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of all fields instead, as in docs/stack.md.")
    ] = False,
) -> None:
    """Print the JSON schema of a stack.yaml, by which editors complete and check it."""
    if as_markdown:
        typer.echo("\n".join(_reference(StackManifest, "")), nl=False)
        return
    shown = {"$schema": "https://json-schema.org/draft/2020-12/schema", **StackManifest.model_json_schema()}
    typer.echo(json.dumps(shown, indent=2))


def _write_new(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".new-") as aside:
        aside.write(text)
        aside.flush()
        os.fsync(aside.fileno())
        Path(aside.name).chmod(0o644)
        # A link, since a rename would take the place of a file that is there.
        os.link(aside.name, file)


def _reference(section: type[BaseModel], name: str) -> Iterator[str]:
    fields = section.model_fields
    if name:
        yield from ("", f"### {name}", "", section.__doc__ or "")
    yield from ("", "| field | default | meaning |", "|---|---|---|")
    for field, info in fields.items():
        yield f"| `{field}` | {_default(info)} | {info.description} |"
    for field, info in fields.items():
        inner = section_of(info.annotation)
        if inner is not None:
            yield from _reference(inner, _place(field, info, inner))
    if not name:
        yield ""


def _place(field: str, info: FieldInfo, section: type[BaseModel]) -> str:
    if info.annotation is section:
        return f"`{field}`"
    return "`machines`, by name" if field == "machines" else f"each of `{field}`"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default: Any = info.get_default(call_default_factory=True)
    return f"`{default}`" if isinstance(default, str | int | float) and default != "" else ""

"""The command that shows the settings."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from rich.table import Table

from deployments.stack.environment import is_secret
from deployments.stack.layout import Layout, find_layout
from models.settings import Settings, load_settings
from ui.cli.console import output

_HEAD = """\
# Settings

Each can be set in the environment, as `WOD_` and its name in capitals, or in `settings.toml` in the state
folder; the environment wins. A secret is set in the environment or in a file of its own, `wod_` and its
name, in the folder `secrets/` of the state. `wod settings` shows what holds, and where it comes from.

This page is made by `wod settings --markdown`.

| setting | default | meaning |
|---|---|---|
"""

app = typer.Typer()


@app.command()
def settings(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference page of all settings.")
    ] = False,
) -> None:
    """Show all settings: value, source and meaning."""
    if as_markdown:
        typer.echo(
            _HEAD + "".join(_markdown_row(name, each) for name, each in Settings.model_fields.items()), nl=False
        )
        return
    layout = find_layout()
    chosen = load_settings()
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "source", "meaning"):
        table.add_column(heading, overflow="fold")
    for name, each in Settings.model_fields.items():
        table.add_row(name, _shown(getattr(chosen, name), each), _source(layout, name), each.description)
    output.print(table, markup=False, highlight=False)


def _markdown_row(name: str, field: FieldInfo) -> str:
    default = "" if is_secret(field) else _text(field.get_default(call_default_factory=True))
    return f"| `{name}` | {f'`{default}`' if default else ''} | {field.description} |\n"


def _shown(value: Any, field: FieldInfo) -> str:
    if is_secret(field):
        return "set, not shown" if value is not None else ""
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _source(layout: Layout, name: str) -> str:
    variable = f"WOD_{name.upper()}"
    secrets = Path(os.environ.get("WOD_SECRETS_DIR") or layout.secrets)
    if variable in os.environ or (name == "state_dir" and "WOD_STATE" in os.environ):
        return "environment"
    if layout.settings_file.exists() and name in tomllib.loads(layout.settings_file.read_text()):
        return "settings.toml"
    if (secrets / f"wod_{name}").exists():
        return "secret file"
    return "default"

"""The files that roles put on machines, filled from deployments/templates/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parents[2] / "deployments/templates"


def fill(name: str, **values: Any) -> bytes:
    """Return the template `name` with these values in it; a value that is missing is an error."""
    return _templates().get_template(f"{name}.j2").render(**values).encode()


@cache
def _templates() -> Environment:
    return Environment(  # noqa: S701  (configuration files, not pages)
        loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, keep_trailing_newline=True
    )

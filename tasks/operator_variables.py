"""The variables that the operator gives to the notebooks, in a file of YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import Problem
from models.yaml_text import load_mapping
from tasks.workshop_files import read_text


def load_variables(path: Path | None) -> tuple[dict[str, Any], list[Problem]]:
    """Return the variables of a file, none without a file, and what is wrong with it."""
    if path is None:
        return {}, []
    text, problems = read_text(path, str(path))
    return ({}, problems) if text is None else load_mapping(text, str(path))

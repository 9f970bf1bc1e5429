"""What the notebooks may name: the variables of the operator's file of YAML, and those of the platform."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.errors import Problem, Refused
from models.rules.variables import platform_variables
from models.settings import Settings
from models.yaml_text import load_mapping
from tasks.workshop_files import read_text


def operator_variables(settings: Settings) -> dict[str, Any]:
    """Return the variables of the operator's file, none without a file.

    Raises:
        Refused: variables_file_wrong, naming each problem.

    """
    variables, problems = load_variables(settings.variables_file)
    if problems:
        raise Refused("\n".join(map(str, problems)), reason="variables_file_wrong")
    return variables


def load_variables(path: Path | None) -> tuple[dict[str, Any], list[Problem]]:
    """Return the variables of a file, none without a file, and what is wrong with it."""
    if path is None:
        return {}, []
    text, problems = read_text(path, str(path))
    return ({}, problems) if text is None else load_mapping(text, str(path))


def variables_on(
    settings: Settings, operator: Mapping[str, Any], backend_name: str, hub_url: str
) -> dict[str, Any]:
    """Return what a template may use on a backend before any booking is known."""
    return platform_variables(settings, backend_name, urlsplit(hub_url).hostname or backend_name, operator)

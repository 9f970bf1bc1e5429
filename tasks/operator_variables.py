"""The variables that the operator gives to the notebooks, in a file of YAML."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from models.errors import Problem, Refused
from models.yaml_text import load_mapping
from tasks.workshop_files import read_text


def load_variables(path: Path | None) -> tuple[dict[str, Any], list[Problem]]:
    """Return the variables of a file, none without a file, and what is wrong with it."""
    if path is None:
        return {}, []
    text, problems = read_text(path, str(path))
    return ({}, problems) if text is None else load_mapping(text, str(path))


def operator_variables(path: Path | None) -> dict[str, Any]:
    """Return the variables of a file, read again only when it changed.

    Refused with `variables_invalid`, naming all its problems.
    """
    return {} if path is None else _read(path, *_version(path))


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _read(path: Path, _changed_ns: int, _size: int) -> dict[str, Any]:
    variables, problems = load_variables(path)
    if problems:
        listed = "\n".join(str(problem) for problem in problems)
        raise Refused(f"The variables file can't be used:\n{listed}", reason="variables_invalid")
    return variables

"""Notebook files: the only home of nbformat."""

from __future__ import annotations

import json
import re
import warnings
from itertools import islice
from typing import Any

import nbformat
from nbformat.validator import iter_validate

from models.errors import Problem
from models.rules.json_places import first_offset, line_of, load_placed

FORMAT = 4
_FIRST_MINOR_WITH_IDS = 5
_DEEPEST = 60
_MOST_VIOLATIONS = 20
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESAVE = "Open it in JupyterLab, correct it and save it again."


def read_notebook(text: str, path: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Return the notebook that the text of a file is, in format 4, or None and every problem.

    Notebooks of older formats are upgraded; what can be mended without a doubt is mended, the same way each
    time: missing and repeated cell ids, missing empty fields, fields left over from another kind of cell.
    """
    try:
        notebook = json.loads(text, strict=False)
        json.dumps(notebook, allow_nan=False, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return None, [_not_json(error, path, text)]
    except (ValueError, RecursionError) as error:
        what = f"The file has a value that JSON or UTF-8 doesn't allow ({type(error).__name__})."
        return None, [Problem(path, 1, 1, what, _RESAVE)]
    if _depth(notebook) > _DEEPEST:
        return None, [Problem(path, 1, 1, "The file is nested too deeply for a notebook.", _RESAVE)]
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        return None, [Problem(path, 1, 1, "The file is JSON, but not a notebook.", _RESAVE)]
    if notebook["nbformat"] > FORMAT:
        what = f"The notebook's format {notebook['nbformat']} is newer than {FORMAT}."
        return None, [Problem(path, 1, 1, what, _RESAVE)]
    if notebook["nbformat"] < FORMAT:
        upgraded = _upgraded(text)
        if upgraded is None:
            what = f"The notebook's format {notebook['nbformat']} can't be upgraded to {FORMAT}."
            return None, [Problem(path, 1, 1, what, _RESAVE)]
        notebook = upgraded
    _mend(notebook)
    problems = violations(notebook, path, text)
    return None if problems else notebook, problems


def violations(notebook: dict[str, Any], path: str, text: str = "") -> list[Problem]:
    """Return where a notebook breaks the rules of its format; `text`, that of its file, gives the lines."""
    found = list(islice(iter_validate(notebook), _MOST_VIOLATIONS))  # type: ignore[no-untyped-call]
    if not found:
        return []
    placed = load_placed(text) if text else {}
    return [_violation(each, path, text, placed) for each in found]


def write_notebook(notebook: dict[str, Any]) -> bytes:
    """Return a notebook as the file that JupyterLab would save."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _not_json(error: json.JSONDecodeError, path: str, text: str) -> Problem:
    line = text.split("\n")[error.lineno - 1]
    is_conflict = line.startswith(("<<<<<<<", "=======", ">>>>>>>"))
    remedy = "Resolve the merge conflict, then save it in JupyterLab." if is_conflict else _RESAVE
    return Problem(path, error.lineno, error.colno, f"The file is not JSON: {error.msg}.", remedy)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        depth += 1
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
    return depth


def _upgraded(text: str) -> dict[str, Any] | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            notebook = nbformat.reads(text, as_version=FORMAT)  # type: ignore[no-untyped-call]
    except Exception:  # the upgrade code trusts its input, so anything can come out of it
        return None
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # nbformat draws them at random; content must be the same each time
    plain: dict[str, Any] = json.loads(json.dumps(notebook))
    return plain


def _mend(notebook: dict[str, Any]) -> None:
    if not isinstance(notebook.setdefault("nbformat_minor", 0), int):
        notebook["nbformat_minor"] = _FIRST_MINOR_WITH_IDS
    notebook.setdefault("metadata", {})
    cells = notebook.get("cells")
    cells = [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
    for cell in cells:
        cell.setdefault("metadata", {})
        if cell.get("cell_type") == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    if notebook["nbformat_minor"] in range(_FIRST_MINOR_WITH_IDS) and any("id" in cell for cell in cells):
        notebook["nbformat_minor"] = _FIRST_MINOR_WITH_IDS
    if notebook["nbformat_minor"] not in range(_FIRST_MINOR_WITH_IDS):
        _give_ids(cells)


def _give_ids(cells: list[dict[str, Any]]) -> None:
    taken = {str(cell.get("id")) for cell in cells}
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        given = cell.get("id")
        if not isinstance(given, str) or given in seen or not _CELL_ID.fullmatch(given):
            given = next(name for name in _names(number) if name not in taken)
            cell["id"] = given
            taken.add(given)
        seen.add(given)


def _names(number: int) -> Any:
    yield f"cell-{number}"
    yield from (f"cell-{number}-{again}" for again in range(1, 10_000_000))


def _violation(error: Any, path: str, text: str, placed: Any) -> Problem:
    steps = list(error.relative_path)
    offset = _offset(placed, steps)
    line = line_of(text, offset)
    column = offset - text.rfind("\n", 0, offset)
    is_in_cell = len(steps) > 1 and steps[0] == "cells"
    words = [f"cell {steps[1] + 1}", *steps[2:]] if is_in_cell else steps
    where = "".join(f", {word}" for word in words)
    what = f"Not a valid notebook{where}: {str(error.message).splitlines()[0][:200]}."
    return Problem(path, line, column, what, _RESAVE)


def _offset(placed: Any, steps: list[Any]) -> int:
    """Return where in the file the innermost part on the way `steps` begins that has a text at all."""
    offset = first_offset(placed) or 0
    for step in steps:
        is_there = step in placed if isinstance(placed, dict) else isinstance(placed, list) and step < len(placed)
        placed = placed[step] if is_there else None
        inner = first_offset(placed)
        if inner is None:
            break
        offset = inner
    return offset

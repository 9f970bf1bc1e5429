"""From a workshop's file, as its author wrote it, to the file of one seat.

A notebook is rendered as one template: the texts of all its cells, one after the other with marks between
them. So a condition may begin in one cell and end in another, as when the whole file is one template, and a
value that is put in is only ever text of a cell, whatever characters it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from models.errors import Problem
from models.rules.json_places import PlacedStr, line_of, load_placed
from models.rules.templates import Fault, SafeTemplate, compile_template

_RENDERED = ("*.ipynb", "*.yaml", "*.py", "*.sh", "*.src", "*.tf", "*.env", "Variables.ps1")
_NEVER_RENDERED = "*-checkpoint.ipynb"

# No text that a notebook can show has these two: one marks where a leaf begins, the other stands for a
# carriage return, which Jinja2 would make a line feed (it counts as white space inside an expression).
_MARK = "\x00"
_RETURN = "\x1d"

Leaf = tuple[tuple[str | int, ...], list[str]]


def is_rendered(relative_path: str) -> bool:
    """Return whether a file of a workshop is a template; the others are delivered as they are."""
    name = PurePosixPath(relative_path).name
    if fnmatchcase(name, _NEVER_RENDERED):
        return False
    return any(fnmatchcase(name, pattern) for pattern in _RENDERED)


@dataclass(frozen=True)
class TextTemplate:
    """A script or another file of text."""

    path: str
    source: str
    template: SafeTemplate

    def render(self, variables: Mapping[str, Any]) -> tuple[str, list[Problem]]:
        """Return the text for a seat, and all problems; with any problem the text is not to be used."""
        text, faults = self.template.render(variables)
        return text, _text_problems(faults, self.path, self.source)


def compile_text(source: str, path: str) -> tuple[TextTemplate | None, list[Problem]]:
    """Compile a text file, blocks taking their line's end with them, or return None and its problems."""
    template, faults = compile_template(source, trim_blocks=True)
    if template is None:
        return None, _text_problems(faults, path, source)
    return TextTemplate(path, source, template), []


@dataclass(frozen=True)
class NotebookTemplate:
    """A notebook of nbformat 4; `source` is its file's text, for telling places."""

    path: str
    source: str
    notebook: str
    leaves: tuple[Leaf, ...]
    template: SafeTemplate

    def render(self, variables: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the notebook for a seat, and all problems; with any problem it is not to be used.

        It has the cells of the author's notebook in their order, without those that a condition leaves out.
        """
        text, faults = self.template.render(variables)
        rendered, fault = _split(text) if not faults else ({}, None)
        notebook: dict[str, Any] = json.loads(self.notebook)
        faults += [fault] if fault else []
        if not faults:
            _fill(notebook, self.leaves, rendered)
        return notebook, _notebook_problems(faults, self.path, self.source)


def compile_notebook(
    source: str, notebook: dict[str, Any], path: str
) -> tuple[NotebookTemplate | None, list[Problem]]:
    """Compile a notebook of nbformat 4 whose file is `source`, or return None and its problems.

    A block leaves its line's end alone, other than in text files: in JSON that is no end of a line.
    """
    leaves = tuple(_leaves(notebook))
    texts = ["".join(lines) for _, lines in leaves]
    reserved = [number for number, text in enumerate(texts) if _MARK in text or _RETURN in text]
    if reserved:
        what = "There is a control character (U+0000 or U+001D) in the text of a cell."
        lines = [_first_line(texts, number) for number in reserved]
        return None, _notebook_problems([Fault(what, "Remove it.", tuple(lines))], path, source)
    marked = "".join(f"{_MARK}{number}\n{_MARK}{text}" for number, text in enumerate(texts))
    template, faults = compile_template(marked.replace("\r", _RETURN), trim_blocks=False)
    if template is None:
        return None, _notebook_problems(faults, path, source)
    return NotebookTemplate(path, source, json.dumps(notebook), leaves, template), []


def _leaves(notebook: dict[str, Any]) -> Iterator[Leaf]:
    for key, value in notebook.items():
        if key != "cells" or not isinstance(value, list):
            yield from _templates_in(value, (key,))
            continue
        for number, cell in enumerate(value):
            for part, content in cell.items() if isinstance(cell, dict) else ():
                if part == "source" and (lines := _lines(content)) is not None:
                    yield ("cells", number, "source"), lines
                else:
                    yield from _templates_in(content, ("cells", number, part))


def _templates_in(value: Any, path: tuple[str | int, ...]) -> Iterator[Leaf]:
    lines = _lines(value) if not isinstance(value, list) or _is_multiline(path) else None
    if lines is not None:
        if any(mark in line for line in lines for mark in ("{{", "{%", "{#")):
            yield path, lines
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from _templates_in(each, (*path, key))


def _is_multiline(path: tuple[str | int, ...]) -> bool:
    """Return whether nbformat lets a text at `path` be written as the list of its lines."""
    return path[-1] == "text" or "data" in path[-2:-1] or "attachments" in path[-3:-2]


def _lines(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return value if is_lines else None


def _split(text: str) -> tuple[dict[int, str], Fault | None]:
    parts = text.split(_MARK)[1:]
    numbers = [int(number) for number in parts[::2]]
    if any(after <= before for before, after in pairwise(numbers)):
        what = "A loop that begins in one cell ends in another."
        return {}, Fault(what, "Keep each loop within one cell.", ())
    return {number: part.replace(_RETURN, "\r") for number, part in zip(numbers, parts[1::2], strict=True)}, None


def _fill(notebook: dict[str, Any], leaves: tuple[Leaf, ...], rendered: dict[int, str]) -> None:
    left_out = set()
    for number, (path, lines) in enumerate(leaves):
        text = rendered.get(number)
        if text is None and path[0] == "cells" and path[2] == "source":
            left_out.add(path[1])
        holder: Any = notebook
        for step in path[:-1]:
            holder = holder[step]
        is_list = isinstance(holder[path[-1]], list)
        if text != "".join(lines):
            holder[path[-1]] = (text or "").splitlines(keepends=True) if is_list else text or ""
    if left_out:
        notebook["cells"] = [cell for index, cell in enumerate(notebook["cells"]) if index not in left_out]


def _first_line(texts: list[str], number: int) -> int:
    return 1 + number + sum(text.count("\n") for text in texts[:number]) + 1


def _text_problems(faults: list[Fault], path: str, source: str) -> list[Problem]:
    lines = source.splitlines() or [""]
    return [_problem(fault, path, lines, lambda line: (line, "")) for fault in faults]


def _notebook_problems(faults: list[Fault], path: str, source: str) -> list[Problem]:
    if not faults:
        return []
    places = _line_places(source)
    lines = source.split("\n")
    return [_problem(fault, path, lines, lambda line: places.get(line, (0, ""))) for fault in faults]


def _line_places(source: str) -> dict[int, tuple[int, str]]:
    """Return, for each line of a notebook's template, its line in the file and a name for its place.

    Empty for a file of an older format, whose template was made after its upgrade.
    """
    places: dict[int, tuple[int, str]] = {}
    notebook = load_placed(source)
    at = 1
    for path, strings in _leaves(notebook) if "cells" in notebook else ():
        at += 1  # the mark has a line of its own
        where = f"cell {int(path[1]) + 1}" if path[0] == "cells" else str(path[0])
        for string in strings:
            offset = string.offset if isinstance(string, PlacedStr) else 0
            for line in range(at, at + string.count("\n") + 1):
                places[line] = line_of(source, offset), where
            at += string.count("\n")
    return places


def _problem(fault: Fault, path: str, lines: list[str], place: Callable[[int], tuple[int, str]]) -> Problem:
    found = sorted({place(line) for line in fault.lines} or {(0, "")})
    line, where = found[0]
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    named = re.search(rf"(?<![\w-]){re.escape(fault.name)}(?![\w-])", text) if fault.name else None
    named = named or re.search(r"\{[{%#]", text)
    column = named.start() + 1 if named else 1
    also = [str(number) for number, _ in found[1:]]
    message = fault.message + (f" It is in {where}" if where else "")
    if also:
        message += f"{';' if where else ' It is'} also on line{'s' * (len(also) > 1)} {', '.join(also)}"
    message += "." if where or also else ""
    return Problem(path, line, column if line else 0, message, fault.remedy, field=fault.name)

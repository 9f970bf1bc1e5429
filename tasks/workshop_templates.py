"""A workshop's files that are made for each seat: compiled, tried out, rendered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from models.errors import Problem, Refused, Severity
from models.rules.rendering import (
    NotebookTemplate,
    TextTemplate,
    compile_notebook,
    compile_text,
    is_rendered,
)
from models.rules.variables import CHALLENGE_PREFIX, WORKSHOP_PREFIX, booking_variables, unknown_remedy
from tasks.adapters.notebooks import read_notebook, violations, write_notebook
from tasks.workshop_files import WorkshopFile, read_text

_SAMPLE_PASSWORD = "Password-1"  # noqa: S105

LARGEST_RENDERED_MB = 20
_MB = 1024 * 1024

FileTemplate = NotebookTemplate | TextTemplate


def compile_file(file: WorkshopFile, label: str) -> tuple[FileTemplate | None, list[Problem]]:
    """Return the template that a file is, None for one that is delivered as it is, and its problems.

    `label` is the file's name in the problems.
    """
    if not is_rendered(file.name):
        return None, []
    if file.size > LARGEST_RENDERED_MB * _MB:
        what = (
            f"The file is made for each seat and has {file.size // _MB} MB; {LARGEST_RENDERED_MB} MB are allowed."
        )
        return None, [Problem(label, 0, 0, what, "Clear its outputs, or keep its data in another file.")]
    text, problems = read_text(file.path, label)
    if text is None:
        return None, problems
    if not file.name.endswith(".ipynb"):
        return compile_text(text, label)
    notebook, problems = read_notebook(text, label)
    return (None, problems) if notebook is None else compile_notebook(text, notebook, label)


def render_file(template: FileTemplate, variables: Mapping[str, Any]) -> tuple[bytes, list[Problem]]:
    """Return the file for a seat, and what keeps it from being delivered; a notebook is a valid one."""
    if isinstance(template, TextTemplate):
        text, problems = template.render(variables)
        return text.encode(errors="replace"), problems
    notebook, problems = template.render(variables)
    problems = problems or violations(notebook, template.path, template.source)
    return b"" if problems else write_notebook(notebook), problems


def try_file(file: WorkshopFile, key: str, seats: tuple[int, int], platform: Mapping[str, Any]) -> list[Problem]:
    """Return what would go wrong with a file of the workshop `key` for its first and last seat `seats`.

    It is rendered for the first seat, and for all when its course may depend on the seat. What would go
    wrong with a workshop only if it were a challenge is a warning.
    """
    template, problems = compile_file(file, f"{key}/{file.name}")
    if template is None:
        return problems
    errors = _failures(template, key, seats, platform)
    if key.startswith(WORKSHOP_PREFIX):
        challenge = CHALLENGE_PREFIX + key.removeprefix(WORKSHOP_PREFIX)
        problems = [
            dataclasses.replace(
                problem, message=f"In a challenge: {problem.message}", severity=Severity.WARNING
            )
            for problem in _failures(template, challenge, seats, platform) if problem not in errors
        ]  # fmt: skip
    return [
        dataclasses.replace(problem, remedy=unknown_remedy(problem.field, key) or problem.remedy)
        for problem in errors + problems
    ]


def _failures(
    template: FileTemplate, key: str, seats: tuple[int, int], platform: Mapping[str, Any]
) -> list[Problem]:
    found: dict[Problem, None] = {}
    try:
        for variables in _samples(template, key, seats, platform):
            found |= dict.fromkeys(render_file(template, variables)[1])
    except Refused:
        return []  # the variables themselves are wrong, which is told once for the whole workshop
    return list(found)


def _samples(
    template: FileTemplate, key: str, seats: tuple[int, int], platform: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    first, last = seats
    one = booking_variables(platform, key, first, first, _SAMPLE_PASSWORD)
    yield one
    if first == last:
        return
    another = booking_variables(platform, key, last, first, _SAMPLE_PASSWORD)
    varying = {name for name in one if one[name] != another[name]}
    if varying & template.template.decided_by:
        for seat in range(first + 1, last + 1):
            yield booking_variables(platform, key, seat, first, _SAMPLE_PASSWORD)

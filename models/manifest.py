"""`wod.yml`, the manifest of a workshop: what its author says about it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml.nodes import MappingNode, ScalarNode

from models.errors import Problem, Severity
from models.manifest_values import (
    Count,
    FileNames,
    Flag,
    Hours,
    Line,
    Link,
    Names,
    Number,
    Paragraphs,
    Picture,
    SeatRange,
    Title,
)
from models.yaml_text import compose, place, simple_value

MANIFEST_FILE = "wod.yml"


class WorkshopManifest(BaseModel):
    """A workshop's manifest; the alias is the field's name in the file, the rest as in the table Workshop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Title = Field(alias="name")
    description: Paragraphs = ""
    active: Flag = False
    capacity: Count | None = None
    priority: Number = 1
    seat_range: SeatRange | None = Field(None, alias="range")
    needs_reset: Flag = Field(False, alias="reset")
    ldap: Flag = False
    varies_password: Flag = Field(False, alias="varpass")
    one_appliance: Flag = Field(False, alias="monoappliance")
    appliance_per_seat: Flag = Field(False, alias="multiappliance")
    compiled_scripts: FileNames = Field((), alias="compile")
    beta: Flag = False
    category: Names = ()
    duration_hours: Hours = Field(4.0, alias="duration")
    presenter: Line = ""
    presenter_role: Line = Field("", alias="role")
    avatar: Picture = ""
    image: Picture = Field("", alias="workshopImg")
    badge_image: Picture = Field("", alias="badgeImg")
    replay_id: Number = Field(0, alias="replayId")
    replay_link: Link = Field("", alias="replayLink")
    places: Mapping[str, tuple[int, int]] = Field(
        default_factory=dict, exclude=True, repr=False, description="Line and column of each field's value."
    )


_ALIASES = {info.alias or name: name for name, info in WorkshopManifest.model_fields.items() if name != "places"}
FIELDS = tuple(_ALIASES)

# What the platform assumes when a field that every workshop should have is missing.
_ASSUMED = {
    "description": "it has no description",
    "active": "it is not active, so nobody can book it",
    "capacity": "all seats of its range can be booked",
    "range": "it may use every seat",
    "duration": "it lasts 4 hours",
}


def parse_manifest(text: str, path: str) -> tuple[WorkshopManifest | None, list[Problem]]:
    """Return the manifest that `text` is, and every problem in it; no manifest when one is an error.

    `path` is the name of the file in the problems. What is written carelessly but clearly is understood.
    """
    root, problems = compose(text, path)
    if root is None:
        return None, problems
    values, places, problems = _fields(root, path)
    notes: list[tuple[str, str, str]] = []
    manifest = None
    try:
        manifest = WorkshopManifest.model_validate({**values, "places": places}, context=notes)
    except ValidationError as error:
        problems += [_error(each, path, places, place(root)) for each in error.errors(include_url=False)]
    by_alias = {name: alias for alias, name in _ALIASES.items()}
    for name, message, remedy in notes:
        field = by_alias[name]
        problems.append(Problem(path, *places[field], message, remedy, Severity.WARNING, field))
    for field, assumed in _ASSUMED.items():
        if field not in values:
            what, remedy = f"`{field}` is missing: {assumed}.", f"Add a line `{field}: …`."
            at = places.get(field, place(root))
            problems.append(Problem(path, *at, what, remedy, Severity.WARNING, field))
    is_broken = any(problem.severity is Severity.ERROR for problem in problems)
    return None if is_broken else manifest, sorted(problems)


def _fields(root: MappingNode, path: str) -> tuple[dict[str, Any], dict[str, tuple[int, int]], list[Problem]]:
    """Return values and places by the names of FIELDS; an empty value counts as none at all."""
    values: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    problems: list[Problem] = []
    for key, node in root.value:
        written = str(key.value) if isinstance(key, ScalarNode) else "?"
        field = _field(written)
        value = simple_value(node)
        if field is None:
            problems.append(_unknown(written, path, place(key)))
        elif field in places and value != values.get(field):
            twice = f"`{field}` is given twice, differently (before on line {places[field][0]})."
            problems.append(Problem(path, *place(key), twice, "Keep one of the two.", field=field))
        else:
            places[field] = place(node)
            if field != written:
                what = f"`{written}` is read as `{field}`."
                problems.append(Problem(path, *place(key), what, f"Write `{field}`.", Severity.WARNING, field))
            if value is not None:
                values[field] = value
    return values, places, problems


def _field(written: str) -> str | None:
    if written in _ALIASES:
        return written
    bare = written.strip().replace("_", "").replace("-", "").casefold()
    return next((field for field in FIELDS if field.casefold() == bare), None)


def _unknown(written: str, path: str, at: tuple[int, int]) -> Problem:
    shown = written if len(written) <= 60 else written[:60] + "…"
    alike = difflib.get_close_matches(shown, FIELDS, n=1)
    remedy = f"Did you mean `{alike[0]}`?" if alike else "Remove it; the fields are: " + ", ".join(FIELDS) + "."
    return Problem(path, *at, f"`{shown}` is not a field of a workshop.", remedy, Severity.WARNING, shown)


def _error(error: Any, path: str, places: Mapping[str, tuple[int, int]], otherwise: tuple[int, int]) -> Problem:
    field = str(error["loc"][0])
    context = error.get("ctx", {})
    if error["type"] == "missing":
        what, remedy = f"`{field}` is missing.", f"Add a line `{field}: '…'`."
    else:
        what, remedy = f"`{field}` {error['msg']}.", context.get("remedy", "Correct it.")
    return Problem(path, *places.get(field, otherwise), what, remedy, field=field)

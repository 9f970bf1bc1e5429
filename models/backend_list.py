"""The backends file: which backends a platform has, where they are, and how their seats are made there."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from models.errors import Problem
from models.yaml_text import NAME, Tree, load_tree

LOCAL_MACHINE = "local"

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_MACHINE = re.compile(r"[a-z_][a-z0-9_-]*@(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_HIGHEST_PORT = 65535

# Of fields that two backends may not share, why not.
_SINGLE = {
    "name": "names tell backends apart",
    "number": "numbers tell backends apart",
    "hub_api_url": "each backend has a hub of its own",
    "machine": "the seats of two backends would be the same accounts",
}


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("backend", "{what}", {"what": message})


def _host_name(value: str) -> str:
    if not _HOST_NAME.fullmatch(value):
        raise _wrong("is not the name of a machine: letters, digits, dots and dashes, at most 63")
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)
    try:
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.query or parts.fragment or parts.username or re.search(r"\s", value):
        raise _wrong("is not an address such as https://be1.example.org:8010")
    return value.rstrip("/")


def _machine(value: str) -> str:
    found = _MACHINE.fullmatch(value)
    if value != LOCAL_MACHINE and (not found or not 0 < int(found[1] or 22) <= _HIGHEST_PORT):
        raise _wrong("is neither local nor a log-in over ssh such as wodmgr@be1.example.org:22")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise _wrong("is not an absolute path")
    return value


_AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class ListedBackend(BaseModel):
    """One backend. Without `homes` and `isolation` the settings say how seats are made on this machine.

    The account of seat n gets the user number `uid_base` + n, or any that is free. `seat_agent` is the seat
    agent that is installed there and that sudo lets the log-in run; without one, it travels, and sudo must
    let the log-in run Python.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_host_name)]
    number: int = Field(ge=1, le=999)
    hub_url: Annotated[str, AfterValidator(_address)]
    hub_api_url: Annotated[str, AfterValidator(_address)]
    machine: Annotated[str, AfterValidator(_machine)] = LOCAL_MACHINE
    seats: int = Field(ge=1, le=5000)
    homes: _AbsolutePath | None = None
    isolation: Literal["auto", "accounts", "folders"] | None = None
    uid_base: int | None = Field(None, ge=999, le=1_000_000)
    seat_agent: _AbsolutePath | None = None


class _BackendList(BaseModel):
    model_config = ConfigDict(extra="forbid")

    backends: list[ListedBackend] = Field(min_length=1)


def parse_backends(text: str, path: str) -> tuple[tuple[ListedBackend, ...], list[Problem]]:
    """Return the backends that `text` lists below `backends:`, by number, or every problem in it.

    `path` is the name of the file in the problems.
    """
    tree, problems = load_tree(text, path)
    if tree is None or problems:
        return (), sorted(problems)
    try:
        listed = _BackendList.model_validate(tree.values).backends
    except ValidationError as error:
        return (), sorted(_problem(each, tree, path) for each in error.errors(include_url=False))
    problems = sorted(_problems_together(listed, tree, path))
    return () if problems else tuple(sorted(listed, key=lambda each: each.number)), problems


def _problem(error: Any, tree: Tree, path: str) -> Problem:
    way = error["loc"]
    at, field = _place(tree, way), str(way[-1])
    if error["type"] == "missing":
        return Problem(path, *at, f"`{field}` is missing.", f"Add a line `{field}: …`.", field=field)
    if error["type"] == "extra_forbidden":
        known = ListedBackend.model_fields if len(way) > 1 else _BackendList.model_fields
        alike = difflib.get_close_matches(field, known, n=1)
        remedy = f"Did you mean `{alike[0]}`?" if alike else f"Remove it; the fields are: {', '.join(known)}."
        at = tree.places[*way, NAME]
        return Problem(path, *at, f"`{field}` is not a field here.", remedy, field=field)
    return Problem(path, *at, f"`{field}`: {error['msg']}.", "Correct it.", field=field)


def _problems_together(listed: Sequence[ListedBackend], tree: Tree, path: str) -> Iterator[Problem]:
    for field, why in _SINGLE.items():
        values = [getattr(each, field) for each in listed]
        for index, value in enumerate(values):
            if Counter(values)[value] > 1:
                at = _place(tree, ("backends", index, field))
                what = f"Another backend has the {field} {value}, too."
                yield Problem(path, *at, what, f"Choose another: {why}.", field=field)
    for index, each in enumerate(listed):
        if each.machine != LOCAL_MACHINE and each.homes is None:
            what = f"`homes` is missing: {each.name} is another machine."
            remedy = "Add a line `homes: …` with the folder there in which the seats' homes are."
            yield Problem(path, *_place(tree, ("backends", index)), what, remedy, field="homes")


def _place(tree: Tree, way: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column of what a way leads to, or of the innermost thing around it."""
    return next(tree.places[way[:length]] for length in range(len(way), -1, -1) if way[:length] in tree.places)

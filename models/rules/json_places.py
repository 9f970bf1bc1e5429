"""Where in the text of a JSON file its strings stand."""

from __future__ import annotations

import json
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any


class PlacedStr(str):
    """A string that knows at which character of the file it begins, counted from 0."""

    __slots__ = ("offset",)
    offset: int


def load_placed(text: str) -> Any:
    """Return the JSON value of `text` with each string (the keys aside) as a PlacedStr.

    Slower than `json.loads` by far: for reports. Raises what `json.loads` raises.
    """
    decoder: Any = json.JSONDecoder(strict=False)

    def placed(source: str, end: int, strict: bool) -> tuple[PlacedStr, int]:
        content, after = scanstring(source, end, strict)
        string = PlacedStr(content)
        string.offset = end - 1
        return string, after

    decoder.parse_string = placed
    decoder.scan_once = py_make_scanner(decoder)
    return decoder.decode(text)


def first_offset(value: Any) -> int | None:
    """Return the offset of the first string inside a value of `load_placed`, None without any."""
    if isinstance(value, PlacedStr):
        return value.offset
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in map(first_offset, parts) if found is not None), None)


def line_of(text: str, offset: int) -> int:
    """Return the line, from 1, of a character of `text`."""
    return text.count("\n", 0, offset) + 1

"""What the catalog shows of a workshop's first notebook: its words without a seat's values, and its pictures."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.rules.introduction import ShowPicture, file_of, introduction, is_elsewhere
from models.rules.rendering import NotebookTemplate
from models.rules.seats import SeatOffer
from models.rules.variables import booking_variables
from models.store.pictures import Picture
from tasks.content import FIRST_NOTEBOOK, WorkshopReport
from tasks.workshop_files import WorkshopFile
from tasks.workshop_templates import compile_file

LARGEST_PICTURE_MB = 3
MOST_PICTURES_MB = 15
MOST_CHARACTERS = 50_000
_MB = 1024 * 1024

# An SVG's comments and declarations may stand before its kind can be told.
_TELLING_BYTES = 64 * 1024
# What a picture begins with, and what it then is. A picture of any other kind is not shown.
_KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png", "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg", "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "gif", "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp", "image/webp"),
    (re.compile(
        rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!(?:--(?:(?!-->).)*-->|(?!--)[^>]*+>)\s*+)*<svg\b",
        re.DOTALL,
    ), "svg", "image/svg+xml"),
)  # fmt: skip

# What readers without a seat see instead of the values of one.
_STAND_INS = {
    "BRANDINGLOGO": "",
    "WODBEFQDN": "your-backend",
    "WODBEEXTFQDN": "your-backend",
    "inventory_hostname": "your-backend",
}
_PASSWORD = "your password"  # noqa: S105


@dataclass
class Introduction:
    """The Markdown to show and, by their names, the pictures in it at `address_of` a picture."""

    text: str = ""
    pictures: dict[str, Picture] = field(default_factory=dict)


def address_of(workshop_key: str, picture_name: str) -> str:
    """Return the address of a picture at the API."""
    return f"/api/v1/workshops/{workshop_key}/pictures/{picture_name}"


def introduce(report: WorkshopReport, snapshot: Path, platform: Mapping[str, Any]) -> Introduction:
    """Return the introduction of a workshop that can be offered; an empty one without a first notebook.

    `snapshot` are its files, `platform` the variables of `platform_variables`.
    """
    found = Introduction()
    if FIRST_NOTEBOOK not in report.files or report.offer is None:
        return found
    path = snapshot / FIRST_NOTEBOOK
    template, _ = compile_file(WorkshopFile(FIRST_NOTEBOOK, path, path.stat().st_size, False), FIRST_NOTEBOOK)
    if not isinstance(template, NotebookTemplate):
        return found
    pictures = _Pictures(report, snapshot, found.pictures)
    parts, room = [], MOST_CHARACTERS
    for cell in _markdown_cells(template, report.key, report.offer, platform):
        written = _text(cell["source"])
        parts.append(introduction(_shortened(written, room), pictures.shown_in(cell.get("attachments") or {})))
        room -= len(written)
        if room <= 0:
            break
    found.text = "\n\n".join(part for part in parts if part)
    return found


def _markdown_cells(
    template: NotebookTemplate, key: str, offer: SeatOffer, platform: Mapping[str, Any]
) -> list[dict[str, Any]]:
    for variables in _readers(key, offer, platform):
        notebook, problems = template.render(variables)
        if not problems:
            return [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return []


def _readers(key: str, offer: SeatOffer, platform: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the variables for nobody's seat, then, for notebooks that count with them, those of the first seat."""
    neutral = {**platform, **_STAND_INS}
    first, last = (
        booking_variables(neutral, key, seat, offer.first, _PASSWORD) for seat in (offer.first, offer.last)
    )
    varying = {name: "N" for name in first if first[name] != last[name] and name != "hostvars"}
    yield {**first, **varying, "hostvars": {neutral["inventory_hostname"]: {**first, **varying}}}
    yield first


class _Pictures:
    """Takes the pictures that a notebook shows into `kept`, each once, as long as there is room."""

    def __init__(self, report: WorkshopReport, snapshot: Path, kept: dict[str, Picture]) -> None:
        self._key = report.key
        self._snapshot = snapshot
        self._files = frozenset(report.files)
        self._shown: dict[str, str] = {}
        self._kept = kept
        self._room = MOST_PICTURES_MB * _MB

    def shown_in(self, attachments: Mapping[str, Mapping[str, Any]]) -> ShowPicture:
        """Return what says, in a cell with such attachments, where a picture is shown, if it can be."""
        attached: dict[str, str] = {}

        def show(address: str) -> str:
            if is_elsewhere(address):
                return address
            if address.startswith("attachment:"):
                name = address.removeprefix("attachment:")
                if name not in attached:
                    attached[name] = self._take(_attachment(attachments.get(name, {})))
                return attached[name]
            name = file_of(address, self._files)
            if name not in self._shown:
                self._shown[name] = self._take(_file(self._snapshot / name)) if name else ""
            return self._shown[name]

        return show

    def _take(self, content: bytes) -> str:
        start = content[:_TELLING_BYTES]
        kind = next(((ending, media) for begins, ending, media in _KINDS if begins.match(start)), None)
        if kind is None or len(content) > LARGEST_PICTURE_MB * _MB:
            return ""
        name = f"{hashlib.sha256(content).hexdigest()[:24]}.{kind[0]}"
        if name not in self._kept:
            if len(content) > self._room:
                return ""
            self._room -= len(content)
            self._kept[name] = Picture(kind[1], content)
        return address_of(self._key, name)


def _file(path: Path) -> bytes:
    """Return the content of a file, or nothing of one that is too large for a picture."""
    return path.read_bytes() if path.stat().st_size <= LARGEST_PICTURE_MB * _MB else b""


def _attachment(bundle: Mapping[str, Any]) -> bytes:
    """Return the first picture of an attachment's, or nothing of one that is too large or no base64."""
    for media, value in bundle.items():
        data = _text(value) if media.startswith("image/") else ""
        with suppress(NotBase64, ValueError):
            if 0 < len(data) <= LARGEST_PICTURE_MB * _MB * 3 // 2:
                return b64decode(data)
    return b""


def _text(value: Any) -> str:
    """Return a text of a notebook, which may be written as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else text[:room].rpartition("\n\n")[0] + "\n\n…"

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

from models.rules.introduction import file_of, introduction, is_elsewhere
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

# What a picture begins with, and what it then is. A picture of any other kind is not shown.
_KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png", "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg", "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "gif", "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp", "image/webp"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!(?:--.{0,2000}?--|[^>]*)>\s*)*<svg\b", re.DOTALL),
     "svg", "image/svg+xml"),
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
    parts, room = [], MOST_CHARACTERS
    for cell in _markdown_cells(template, report.key, report.offer, platform):
        written = "".join(cell["source"])
        show = _Pictures(report, snapshot, cell.get("attachments") or {}, found.pictures).show
        # Cut before it is parsed: Python's parser takes a time with the square of what is not closed.
        parts.append(introduction(_shortened(written, room), show))
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


@dataclass
class _Pictures:
    """Takes the pictures that a cell shows into `kept`, as long as there is room."""

    report: WorkshopReport
    snapshot: Path
    attachments: Mapping[str, Mapping[str, Any]]
    kept: dict[str, Picture]

    def show(self, address: str) -> str:
        """Return where a picture is shown, or nothing for one that can't be."""
        if is_elsewhere(address):
            return address
        content = self._content(address)
        kind = next(((ending, media) for begins, ending, media in _KINDS if begins.match(content)), None)
        if kind is None or len(content) > LARGEST_PICTURE_MB * _MB:
            return ""
        name = f"{hashlib.sha256(content).hexdigest()[:24]}.{kind[0]}"
        size = sum(len(each.content) for each in self.kept.values())
        if name not in self.kept and size + len(content) > MOST_PICTURES_MB * _MB:
            return ""
        self.kept[name] = Picture(kind[1], content)
        return address_of(self.report.key, name)

    def _content(self, address: str) -> bytes:
        if address.startswith("attachment:"):
            bundle = self.attachments.get(address.removeprefix("attachment:"), {})
            for data in bundle.values():
                with suppress(NotBase64, ValueError):
                    return b64decode("".join(data))
            return b""
        name = file_of(address, self.report.files)
        return (self.snapshot / name).read_bytes() if name else b""


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else text[:room].rpartition("\n\n")[0] + "\n\n…"

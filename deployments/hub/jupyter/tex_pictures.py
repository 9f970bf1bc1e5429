"""Pictures of a notebook's text on their way to TeX, which takes neither SVG nor what is not on this machine."""

# Checked where nbconvert is not installed.
# mypy: disable-error-code="import-not-found, misc, untyped-decorator"

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jinja2 import pass_context
from nbconvert.filters import convert_pandoc as convert
from pandocfilters import Image, Str, applyJSONFilters

# From stdin, so that a picture can't draw on other files.
SVG_TO_PDF = ("rsvg-convert", "--format=pdf")
_TAKEN = {".png", ".jpg", ".jpeg", ".pdf"}
_CONVERT_SECONDS = 60


@pass_context
def convert_pandoc(
    context: Mapping[str, Any],
    source: str,
    from_format: str,
    to_format: str,
    extra_args: Sequence[str] | None = None,
) -> str:
    """Convert text as nbconvert's filter of this name does, with pictures that TeX takes.

    An SVG becomes PDF, and a picture that can't be had gives way to its description: no document fails for it.
    """
    if from_format == "json":
        return str(convert(source, from_format, to_format, extra_args))
    document = applyJSONFilters([_Pictures(context["resources"]).replace], convert(source, from_format, "json"))
    return document if to_format == "json" else str(convert(document, "json", to_format, extra_args))


class _Pictures:
    """The pictures of a notebook: its attachments, and files beside it; `resources` are nbconvert's."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self._folder = Path(resources.get("metadata", {}).get("path") or ".")
        # Where nbconvert puts what it takes out of a notebook; a student's server puts it into a folder for TeX.
        self._beside = Path(resources.get("output_files_dir") or "")
        self._extracted: dict[str, bytes] = resources["outputs"]

    def replace(self, key: str, value: Any, target: str, meta: Any) -> Any:
        """Return what stands in an element's place, None for itself, as pandocfilters wants it."""
        if key != "Image":
            return None
        attributes, description, (address, title) = value
        name = unquote(address)
        picture, kind = self._find(name), Path(name).suffix.lower()
        if picture and kind in _TAKEN:
            return None
        if picture and kind == ".svg":
            converted = str(self._beside / f"{hashlib.sha256(picture).hexdigest()[:16]}.pdf")
            if drawn := self._extracted.get(converted) or _as_pdf(picture):
                self._extracted[converted] = drawn
                return Image(attributes, description, [converted, title])
        return description or [Str(address)]

    def _find(self, name: str) -> bytes:
        """Return an attachment or a file, empty when there is none; `name` may be any text, and very long."""
        try:
            return self._extracted.get(name) or (self._folder / name).read_bytes()
        except (OSError, ValueError):
            return b""


def _as_pdf(picture: bytes) -> bytes:
    """Return an SVG as PDF, empty when it can't be converted."""
    try:
        done = subprocess.run(
            SVG_TO_PDF, input=picture, capture_output=True, timeout=_CONVERT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return b"" if done.returncode else done.stdout

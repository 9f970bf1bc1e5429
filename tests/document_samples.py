"""Notebooks with pictures, and what of them is in the documents that they become."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

# TeX keeps each drawing that it shows as one of these; one that is shown twice is kept once or twice.
_DRAWN = re.compile(rb"/Subtype\s*/Form")
_SHOWN = re.compile(r"^!\[[^\]]*\]\(([^)]+\.svg)\)", re.MULTILINE)


def drawings_in(document: bytes) -> int:
    """Return how many different drawings a PDF made by TeX holds."""
    return len(_DRAWN.findall(document))


def drawings_of(notebook: Path) -> int:
    """Return how many different files of SVG the text of a notebook shows."""
    read = nbformat.read(notebook, as_version=4)
    texts = [cell.source for cell in read.cells if cell.cell_type == "markdown"]
    return len({name for text in texts for name in _SHOWN.findall(text)})


def notebook_of_pictures(files: Sequence[str]) -> Any:
    """Return a notebook that shows five drawings, of which three are `files`, and pictures that can't be had."""
    told, beside, numbered = files
    attached = new_markdown_cell("![attached](attachment:a.svg)")
    attached["attachments"] = {"a.svg": {"image/svg+xml": base64.b64encode(_svg("red").encode()).decode()}}
    shown = [
        new_output("display_data", {"image/svg+xml": _svg("green")}),
        new_output("display_data", {"text/markdown": f"![told]({told})"}),
    ]
    elsewhere = "![far](https://example.org/far.svg) ![far](https://example.org/far.png) ![gone](gone.png)"
    inside = f"![inside](data:image/png;base64,{'A' * 6000})"
    return new_notebook(
        cells=[
            attached,
            new_code_cell("", outputs=shown),
            new_markdown_cell(f"![beside it]({beside}) and ![by its number][1]\n\n[1]: ./{numbered}"),
            new_markdown_cell(f"{elsewhere} {inside}"),
        ]
    )


def _svg(color: str) -> str:
    box = f'<rect width="9" height="9" fill="{color}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{box}</svg>'

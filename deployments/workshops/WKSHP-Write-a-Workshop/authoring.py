# {% raw %}

"""Make notebooks and the skeleton of a workshop with nothing but the standard library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MANIFEST = """\
%YAML 1.1
# What the catalog knows about this workshop
---
name: 'TODO'
description: 'TODO'
active: true
capacity: 0
priority: 1
range: [0,0]
duration: 0
category: ['Open Source']
presenter: 'TODO'
"""

_PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="960" height="160" viewBox="0 0 960 160">
  <rect width="960" height="160" rx="12" fill="#01775A"/>
  <text x="48" y="98" font-family="sans-serif" font-size="52" fill="#ffffff">My own workshop</text>
</svg>
"""


def text(source: str) -> dict[str, Any]:
    """Return a text cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str) -> dict[str, Any]:
    """Return a code cell that has not been run."""
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def save_notebook(path: Path, cells: Sequence[dict[str, Any]]) -> None:
    """Write the cells as a notebook for the python3 kernel."""
    numbered = [{"id": f"cell-{number:02}", **cell} for number, cell in enumerate(cells, start=1)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = {
        "cells": numbered,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def start(folder: Path) -> None:
    """Make the skeleton of a workshop in `folder`; what is there already stays as it is."""
    (folder / "Pictures").mkdir(parents=True, exist_ok=True)
    files = {"wod.yml": _MANIFEST, "Pictures/banner.svg": _PICTURE, "README.md": f"# {folder.name}\n"}
    for name, content in files.items():
        if not (folder / name).exists():
            (folder / name).write_text(content, encoding="utf-8")
    notebooks = {
        "0-ReadMeFirst.ipynb": [
            text("![My own workshop](Pictures/banner.svg)\n\n# TODO: what it is about"),
            code("print('Hello, student {{ STDID }}!')"),
        ],
        "1-WKSHP-First-Lab.ipynb": [text("# TODO: your lab")],
        "2-WKSHP-Conclusion.ipynb": [text("# Conclusion\n\nThank you, student {{ STDID }}!")],
    }
    for name, cells in notebooks.items():
        if not (folder / name).exists():
            save_notebook(folder / name, cells)


# {% endraw %}

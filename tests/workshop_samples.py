"""Workshops that tests write, and what becomes of them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from models.errors import Problem, Severity
from models.rules.variables import booking_variables, platform_variables
from models.settings import Settings
from tasks.content import (
    WorkshopFolder,
    WorkshopReport,
    check_workshop,
    read_catalog,
    render_workshop,
    take_snapshot,
)

CONTENT = Path(__file__).parents[2] / "shared" / "wod-notebooks"
PLATFORM = platform_variables(Settings(brand="Labs", brand_owner="ACME"), "localhost", "127.0.0.1", {})
MANIFEST = "name: X\ndescription: d\nactive: true\ncapacity: 2\nrange: [1, 2]\nduration: 2\n"


def notebook(*sources: str, **fields: Any) -> dict[str, Any]:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} | fields


def workshop(catalog: Path, key: str = "WKSHP-X", **files: str | bytes | dict[str, Any]) -> WorkshopFolder:
    """Write a workshop that has no problem, with further files or other ones."""
    folder = catalog / key
    folder.mkdir(parents=True)
    given = {"wod.yml": MANIFEST, "0-ReadMeFirst.ipynb": notebook("Seat {{ STDID }}")} | files
    for name, content in given.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content, indent=1)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return next(each for each in read_catalog(catalog) if each.key == key)


def check(folder: WorkshopFolder, **platform: Any) -> WorkshopReport:
    return check_workshop(folder, [100], PLATFORM | platform)


def errors(report: WorkshopReport) -> list[Problem]:
    found = [problem for problem in report.problems if problem.severity is Severity.ERROR]
    assert report.can_be_offered == (not found)
    assert all(problem.path.startswith("WKSHP") and problem.message and problem.remedy for problem in found)
    return found


def deliver(
    report: WorkshopReport, tmp_path: Path, key: str = "", seat: int = 1, **platform: Any
) -> dict[str, bytes]:
    """Return what a seat gets, by name."""
    digest = take_snapshot(report, tmp_path / "snapshots")
    offer = report.offer
    assert offer is not None
    variables = booking_variables(PLATFORM | platform, key or report.key, seat, offer.first, "pw-1")
    with tarfile.open(
        fileobj=io.BytesIO(render_workshop(tmp_path / "snapshots" / digest, report.key, variables))
    ) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]

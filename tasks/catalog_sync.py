"""Taking a catalog in: check, keep the contents, offer what is valid, retire what vanished."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import Problem, Severity
from models.settings import Settings
from models.store.catalog import digests_in_use, retire_workshops_except, save_workshop, workshops_of_others
from models.store.database import Database
from models.store.pictures import save_pictures
from models.store.waiting import close_lines_of_retired
from models.tables import utc_now
from tasks.adapters.git import clone, is_repository
from tasks.content import WorkshopReport, check_workshop, read_catalog, take_snapshot
from tasks.introductions import Introduction, introduce
from tasks.listed_backends import listed_backends
from tasks.operator_variables import operator_variables, variables_on

# A snapshot younger than this may belong to a sync that has not committed yet.
_SNAPSHOT_REST_SECONDS = 3600


@dataclass
class SyncReport:
    """What a sync did, by the keys of the workshops, and everything that was found wrong."""

    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def check_catalog(folder: Path, settings: Settings) -> list[WorkshopReport]:
    """Check all workshops of a folder as this platform would offer them.

    Raises:
        Refused: as read_catalog, listed_backends and operator_variables do.

    """
    seats = [backend.seats for backend in listed_backends(settings)]
    variables = _variables(settings)
    return [check_workshop(each, seats, variables) for each in read_catalog(folder)]


async def sync_workshops(database: Database, settings: Settings, source: str) -> SyncReport:
    """Make the catalog offer what `source`, a folder or a git repository, holds now.

    A workshop with an error is left out: its last valid state stays on offer, if it had one. Bookings that
    run keep the content that they were reserved with.

    Raises:
        Refused: catalog_not_found, catalog_empty, variables_file_wrong, backends_file_wrong, repository_address.
        StepFailed: when a repository can't be fetched.

    """
    async with _folder_of(source) as folder:
        reports = await asyncio.to_thread(check_catalog, folder, settings)
        return await _take_in(database, settings, _name_of(source), reports)


async def _take_in(
    database: Database, settings: Settings, source: str, reports: list[WorkshopReport]
) -> SyncReport:
    snapshots = settings.state_dir / "content"
    result = SyncReport(problems=[problem for report in reports for problem in report.problems])
    # Before the transaction: whoever books one of these workshops waits for it.
    introductions = await asyncio.to_thread(_keep, reports, snapshots, _variables(settings))
    async with database.transaction() as session:
        others = await workshops_of_others(session, [report.key for report in reports], source)
        for report in reports:
            if report.key in others:
                result.problems.append(_taken(report.key, others[report.key]))
            elif report.can_be_offered:
                introduction = introductions[report.key]
                values = _columns(report, source) | {"readme": introduction.text}
                is_new = await save_workshop(session, report.key, values, utc_now())
                await save_pictures(session, report.key, introduction.pictures)
                (result.changed if is_new else result.unchanged).append(report.key)
                continue
            result.left_out.append(report.key)
        keys = [report.key for report in reports]
        result.retired = await retire_workshops_except(session, keys, source, utc_now())
        await close_lines_of_retired(session, utc_now())
    async with database.transaction() as session:
        in_use = await digests_in_use(session)
    await asyncio.to_thread(_drop_snapshots_except, in_use, snapshots)
    return result


def _columns(report: WorkshopReport, source: str) -> dict[str, Any]:
    manifest, offer = report.manifest, report.offer
    if manifest is None or offer is None:
        raise ValueError(f"{report.key} can't be offered")
    kept: dict[str, Any] = manifest.model_dump(
        exclude={"capacity", "seat_range", "one_appliance", "appliance_per_seat", "compiled_scripts", "places"}
    )
    return kept | {
        "category": list(manifest.category),
        "capacity": offer.capacity,
        "seat_first": offer.first,
        "seat_last": offer.last,
        "session_type": "Coding Challenge" if report.key.startswith("CHLG-") else "Workshops-on-Demand",
        "source": source,
        "content_digest": report.digest,
    }


@asynccontextmanager
async def _folder_of(source: str) -> AsyncIterator[Path]:
    if not is_repository(source):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="wod-catalog-") as folder:
        target = Path(folder) / "repository"
        await clone(source, target)
        yield target


def _name_of(source: str) -> str:
    return source if is_repository(source) else str(Path(source).resolve())


def _taken(key: str, other: str) -> Problem:
    return Problem(
        key,
        0,
        0,
        f"The catalog {other} offers a workshop of this name.",
        "Rename the folder, or take the other catalog out.",
        Severity.ERROR,
    )


def _variables(settings: Settings) -> dict[str, Any]:
    # Backends differ in their names alone, and what can be rendered on one can be on all.
    first = listed_backends(settings)[0]
    return variables_on(settings, operator_variables(settings), first.name, first.hub_url)


def _keep(reports: list[WorkshopReport], snapshots: Path, variables: dict[str, Any]) -> dict[str, Introduction]:
    """Keep the contents of the workshops that can be offered; return how the catalog introduces each."""
    introductions = {}
    for report in reports:
        if report.can_be_offered:
            _keep_snapshot(report, snapshots)
            introductions[report.key] = introduce(report, snapshots / report.digest, variables)
    return introductions


def _keep_snapshot(report: WorkshopReport, snapshots: Path) -> None:
    """Keep what was checked; one that was there already counts as fresh, so that nobody drops it now."""
    os.utime(snapshots / take_snapshot(report, snapshots))


def _drop_snapshots_except(digests: set[str], snapshots: Path) -> None:
    if not snapshots.is_dir():
        return
    for folder in snapshots.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if folder.name not in digests and time.time() - folder.stat().st_mtime > _SNAPSHOT_REST_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

"""Workshop content: a catalog's folders checked, kept as snapshots, and packed for a seat."""

from __future__ import annotations

import dataclasses
import io
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from models.errors import Problem, Refused, Severity, StepFailed
from models.manifest import MANIFEST_FILE, WorkshopManifest, parse_manifest
from models.rules.seats import SeatOffer, offer_seats
from models.rules.variables import CHALLENGE_PREFIX, WORKSHOP_PREFIX, booking_variables, workshop_of
from tasks.workshop_files import WorkshopFile, copy_whole, digest, find_files, read_text
from tasks.workshop_templates import FileTemplate, compile_file, render_file, try_file

FIRST_NOTEBOOK = "0-ReadMeFirst.ipynb"

_KEY = re.compile(r"(?:WKSHP|CHLG)-[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_SNAPSHOTS_IN_MEMORY = 32


@dataclass(frozen=True)
class WorkshopFolder:
    """A workshop's folder; a challenge has its own files over those of its workshop in `base`."""

    key: str
    path: Path
    base: Path | None = None


@dataclass(frozen=True)
class WorkshopReport:
    """All that was found out about a workshop. Its `files` are named relative to its folder."""

    folder: WorkshopFolder
    manifest: WorkshopManifest | None
    offer: SeatOffer | None
    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    digest: str

    @property
    def key(self) -> str:
        """The name of the workshop's folder."""
        return self.folder.key

    @property
    def can_be_offered(self) -> bool:
        """Whether no problem is an error, so that there are a manifest, seats and a digest."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)


def read_catalog(folder: Path) -> list[WorkshopFolder]:
    """Return the workshops and challenges directly below `folder`, or the one that `folder` itself is.

    Refused with `catalog_not_found` or `catalog_empty`.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise Refused(f"There is no folder {folder}. Name one with workshops.", reason="catalog_not_found")
    if (folder / MANIFEST_FILE).is_file():
        return [WorkshopFolder(folder.name, folder.resolve(), _base_of(folder))]
    folders = sorted(
        each for each in folder.iterdir()
        if each.name.startswith((WORKSHOP_PREFIX, CHALLENGE_PREFIX)) and (each.is_symlink() or each.is_dir())
    )  # fmt: skip
    if not folders:
        message = f"The folder {folder} has no folder {WORKSHOP_PREFIX}… with a {MANIFEST_FILE} in it."
        raise Refused(message, reason="catalog_empty")
    return [WorkshopFolder(each.name, each, _base_of(each)) for each in folders]


def check_workshop(
    folder: WorkshopFolder, backend_seats: Sequence[int], platform: Mapping[str, Any]
) -> WorkshopReport:
    """Return everything that is wrong with a workshop on backends that have so many seats each.

    `platform` are the variables of `platform_variables`. Each template is rendered for a seat in each of
    its modes; when its conditions depend on the seat, for all seats.
    """
    files, problems = _files_of(folder)
    manifest, offer, about_manifest = _check_manifest(folder, files, backend_seats)
    names = {file.name for file in files}
    problems += about_manifest + _missing_files(folder.key, manifest, names)
    first, last = (offer.first, offer.last) if offer else (1, 1)
    problems += _check_ports(folder.key, (first, last), platform)
    for file in files:
        problems += try_file(file, folder.key, (first, last), platform)
    try:
        content = digest(files)
    except OSError as error:
        problems.append(Problem(folder.key, 0, 0, f"A file can't be read: {error.strerror}.", "Try again."))
        content = ""
    ordered = tuple(sorted(set(problems)))
    return WorkshopReport(folder, manifest, offer, ordered, tuple(sorted(names)), content)


def take_snapshot(report: WorkshopReport, snapshots: Path) -> str:
    """Keep the files that were checked below `snapshots`, in a folder named by their digest; return it.

    Doing it twice changes nothing. Refused with `content_invalid` when the report has an error, and with
    `content_changed` when the files are no longer those that were checked.
    """
    if not report.can_be_offered:
        errors = [each for each in report.problems if each.severity is Severity.ERROR]
        raise _invalid(report.key, errors)
    copy_whole(_files_of(report.folder)[0], snapshots / report.digest, report.digest)
    return report.digest


def render_workshop(snapshot: Path, workshop_key: str, variables: Mapping[str, Any]) -> bytes:
    """Return a tar of the folder `workshop_key` with the snapshot's files, rendered with the variables.

    The same input gives the same bytes. Refused with `content_invalid`, naming all problems, when any file
    can't be rendered or is not a valid notebook, and with `content_missing` without the snapshot. A file
    that can't be read is a failed step, `content_unreadable`.
    """
    problems: list[Problem] = []
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in _folders(workshop_key, (item.file.name for item in _plan(snapshot))):
            tar.addfile(_entry(name, is_executable=True, kind=tarfile.DIRTYPE))
        for item in _plan(snapshot):
            if item.template is None:
                content = _read(item.file)
            else:
                content, found = render_file(item.template, variables)
                problems += found
            entry = _entry(f"{workshop_key}/{item.file.name}", item.file.is_executable, size=len(content))
            tar.addfile(entry, io.BytesIO(content))
    if problems:
        raise _invalid(workshop_key, problems)
    return packed.getvalue()


@dataclass(frozen=True)
class _Item:
    file: WorkshopFile
    template: FileTemplate | None


@lru_cache(maxsize=_SNAPSHOTS_IN_MEMORY)
def _plan(snapshot: Path) -> tuple[_Item, ...]:
    """Return what to deliver from a snapshot; a snapshot never changes, so neither does its plan."""
    if not snapshot.is_dir():
        message = f"The content {snapshot.name} is gone. Take the catalog in again (wod catalog sync)."
        raise Refused(message, reason="content_missing", detail=str(snapshot))
    files, problems = find_files(snapshot, snapshot.name)
    items = []
    for file in files:
        template, found = compile_file(file, file.name)
        problems += found
        items.append(_Item(file, template))
    if problems:
        raise _invalid(snapshot.name, problems)
    return tuple(items)


def _read(file: WorkshopFile) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError as error:
        message = f"The file {file.name} of the workshop can't be read."
        raise StepFailed(message, reason="content_unreadable", detail=str(error)) from error


def _base_of(folder: Path) -> Path | None:
    base = folder.with_name(workshop_of(folder.name))
    return base if base != folder and base.is_dir() else None


def _files_of(folder: WorkshopFolder) -> tuple[list[WorkshopFile], list[Problem]]:
    """Return what to deliver: the folder's own files and those of its base that it doesn't replace."""
    files: dict[str, WorkshopFile] = {}
    problems = []
    if not _KEY.fullmatch(folder.key):
        what = "The folder's name is not one of a workshop."
        remedy = f"Name it {WORKSHOP_PREFIX} and letters, digits, dots, dashes; at most 60 of them."
        problems.append(Problem(folder.key, 0, 0, what, remedy))
    for path, label in ((folder.path, folder.key), (folder.base, workshop_of(folder.key))):
        if path is None:
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
            what, remedy = "The link leads out of the catalog.", "Put the folder itself in its place."
            problems.append(Problem(label, 0, 0, what, remedy))
            continue
        found, more = find_files(path.resolve(), label)
        files = {file.name: file for file in found} | files
        problems += more
    return sorted(files.values()), problems


def _missing_files(key: str, manifest: WorkshopManifest | None, names: set[str]) -> list[Problem]:
    problems = []
    if FIRST_NOTEBOOK not in names:
        what = f"There is no {FIRST_NOTEBOOK}, which JupyterLab opens first."
        remedy = "Add it, so that students find the beginning."
        problems.append(Problem(key, 0, 0, what, remedy, Severity.WARNING))
    if manifest:
        label, at = f"{key}/{MANIFEST_FILE}", manifest.places.get("compile", (0, 0))
        for script in sorted(set(manifest.compiled_scripts) - names):
            what, remedy = f"`compile` names {script}, which is not there.", "Add it, or remove its name."
            problems.append(Problem(label, *at, what, remedy, Severity.WARNING, "compile"))
    return problems


def _check_manifest(
    folder: WorkshopFolder, files: Iterable[WorkshopFile], backend_seats: Sequence[int]
) -> tuple[WorkshopManifest | None, SeatOffer | None, list[Problem]]:
    label, own = f"{folder.key}/{MANIFEST_FILE}", folder.path.resolve()
    file = next((each for each in files if each.name == MANIFEST_FILE and each.path.is_relative_to(own)), None)
    if file is None:
        remedy = "Write one, with name, description, active, capacity, range and duration."
        return None, None, [Problem(label, 0, 0, f"There is no {MANIFEST_FILE} that can be read.", remedy)]
    text, problems = read_text(file.path, label)
    if text is None:
        return None, None, problems
    manifest, problems = parse_manifest(text, label)
    if manifest is None:
        return None, None, problems
    offer, remarks = offer_seats(manifest.seat_range, manifest.capacity, backend_seats)
    for remark in remarks:
        line, column = manifest.places.get(remark.field, (0, 0))
        problems.append(dataclasses.replace(remark, path=label, line=line, column=column))
    return manifest, offer, problems


def _check_ports(key: str, seats: tuple[int, int], platform: Mapping[str, Any]) -> list[Problem]:
    try:
        for seat in seats:
            booking_variables(platform, key, seat, seats[0], "")
    except Refused as refused:
        remedy = "Correct it in the variables file."
        return [Problem(f"{key}/{MANIFEST_FILE}", 0, 0, refused.message, remedy, field="range")]
    return []


def _folders(key: str, names: Iterable[str]) -> list[str]:
    below = {f"{key}/{parent}" for name in names for parent in PurePosixPath(name).parents if parent.name}
    return [key, *sorted(below)]


def _entry(name: str, is_executable: bool, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    entry.mode = 0o755 if is_executable else 0o644
    return entry


def _invalid(key: str, problems: Iterable[Problem]) -> Refused:
    listed = "\n".join(str(problem) for problem in problems)
    return Refused(f"{key} can't be delivered:\n{listed}", reason="content_invalid", detail=listed)

"""The files of a workshop's folder: found without following anything out of it, digested, copied."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.errors import Problem, Refused

LARGEST_FILE_MB = 50
LARGEST_WORKSHOP_MB = 200
MOST_FILES = 5000
_DEEPEST = 30
_MB = 1024 * 1024
_CHUNK = 1024 * 1024
_IGNORED_FOLDERS = frozenset({".git", ".ipynb_checkpoints", "__pycache__"})
_IGNORED_ENDING = "-checkpoint.ipynb"
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, order=True)
class WorkshopFile:
    """A file to deliver: its name relative to the workshop's folder, and where its bytes are."""

    name: str
    path: Path
    size: int
    is_executable: bool


def find_files(folder: Path, label: str) -> tuple[list[WorkshopFile], list[Problem]]:
    """Return the files below `folder` in the order of their names, and what can't be delivered of it.

    `label` is the folder's name in the problems. A link to a file inside the folder counts as that file.
    """
    found: list[WorkshopFile] = []
    problems: list[Problem] = []
    waiting = [(folder, "")]
    while waiting:
        here, prefix = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            why = error.strerror or type(error).__name__
            problems.append(_problem(label, prefix, f"The folder can't be read: {why}.", "Make it readable."))
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.name in _IGNORED_FOLDERS or entry.name.endswith(_IGNORED_ENDING):
                continue
            wrong = _wrong_name(name)
            if wrong:
                problems.append(_problem(label, name, wrong, "Rename it."))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), name + "/"))
            else:
                file = _file(Path(entry.path), name, folder, label)
                (found if isinstance(file, WorkshopFile) else problems).append(file)  # type: ignore[arg-type]
    return sorted(found), problems + _too_much(found, label)


def digest(files: Iterable[WorkshopFile]) -> str:
    """Return the SHA-256, in hexadecimal, of all names, executable bits and bytes."""
    whole = hashlib.sha256()
    for file in sorted(files):
        with file.path.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        whole.update(f"{len(file.name.encode())} {file.name} {file.is_executable:d} {content}\n".encode())
    return whole.hexdigest()


def read_text(path: Path, label: str) -> tuple[str | None, list[Problem]]:
    """Return a file's text, a byte order mark aside, or None and why there is none.

    `label` is the file's name in the problem.
    """
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig"), []
    except OSError as error:
        what = f"The file can't be read: {error.strerror or type(error).__name__}."
        return None, [Problem(label, 0, 0, what, "Make it readable.")]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return None, [Problem(label, line, column, "The file is not text in UTF-8.", "Save it as UTF-8.")]


def copy_whole(files: Iterable[WorkshopFile], target: Path, expected_digest: str) -> None:
    """Make the folder `target` of read-only copies of `files`; it appears whole, or not at all.

    Nothing is done when it is there already. Refused with `content_changed` when the copies don't have the
    expected digest.
    """
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        copies = [_copy(file, aside) for file in files]
        if digest(copies) != expected_digest:
            raise Refused(
                "The files changed while they were being read. Take the catalog in again.",
                reason="content_changed",
            )
        aside.chmod(0o755)
        try:
            aside.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise somebody else made the same folder meanwhile
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy(file: WorkshopFile, folder: Path) -> WorkshopFile:
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with file.path.open("rb") as source, path.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
        copy.flush()
        os.fsync(copy.fileno())
    path.chmod(0o555 if file.is_executable else 0o444)
    return WorkshopFile(file.name, path, path.stat().st_size, file.is_executable)


def _file(path: Path, name: str, folder: Path, label: str) -> WorkshopFile | Problem:
    """Return the file at `path`, or why it can't be delivered."""
    try:
        real = path.resolve(strict=True) if path.is_symlink() else path
        status = real.lstat()
    except (OSError, RuntimeError):
        return _problem(label, name, "The link leads nowhere.", "Remove it, or put the file in its place.")
    if real != path and not real.is_relative_to(folder.resolve()):
        what, remedy = "The link leads out of the workshop's folder.", "Put the file itself in its place."
        return _problem(label, name, what, remedy)
    if stat.S_ISDIR(status.st_mode):
        return _problem(label, name, "It is a link to a folder.", "Put the folder itself in its place.")
    if not stat.S_ISREG(status.st_mode):
        return _problem(label, name, "It is neither a file nor a folder.", "Remove it.")
    if status.st_size > LARGEST_FILE_MB * _MB:
        what = f"The file has {status.st_size // _MB} MB; {LARGEST_FILE_MB} MB are allowed."
        return _problem(label, name, what, "Let the notebook fetch it instead.")
    if not os.access(real, os.R_OK):
        return _problem(label, name, "The file can't be read.", "Make it readable.")
    return WorkshopFile(name, real, status.st_size, bool(status.st_mode & 0o111))


def _wrong_name(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "The name is not UTF-8."
    if _UNSHOWN.search(name) or "\\" in name:
        return "The name has a control character or a backslash."
    if len(name.split("/")) > _DEEPEST:
        return f"It is more than {_DEEPEST} folders deep."
    return ""


def _too_much(files: list[WorkshopFile], label: str) -> list[Problem]:
    problems = []
    size = sum(file.size for file in files)
    if size > LARGEST_WORKSHOP_MB * _MB:
        what = f"The workshop has {size // _MB} MB; {LARGEST_WORKSHOP_MB} MB are allowed."
        problems.append(_problem(label, "", what, "Let the notebooks fetch large data instead."))
    if len(files) > MOST_FILES:
        what = f"The workshop has {len(files)} files; {MOST_FILES} are allowed."
        problems.append(_problem(label, "", what, "Pack them into an archive."))
    return problems


def _problem(label: str, name: str, message: str, remedy: str) -> Problem:
    shown = name.encode(errors="backslashreplace").decode()
    shown = _UNSHOWN.sub(lambda found: repr(found[0])[1:-1], shown)
    return Problem(f"{label}/{shown}".rstrip("/"), 0, 0, message, remedy)

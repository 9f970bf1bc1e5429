"""What a student did in a home, read with the student's rights: cells and a zip. Part of the seat agent.

Nothing that a student left there may lead out of the home, hold the reader up, or fill the disk: links are
not followed, only regular files are opened, and files, their bytes and the time for them are bounded.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

NOTEBOOK_BYTES = 20_000_000
NOTEBOOKS_AT_MOST = 200
ENTRIES_AT_MOST = 20_000
LEFT_OUT_TOLD = 1_000
# Made by programs. Hidden entries of the home itself are left out as well: settings, keys, histories.
NO_WORK = {".ipynb_checkpoints", "__pycache__", ".cache", "node_modules"}
LIST_NAME = "LEFT-OUT.txt"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell
LATEST = (2107, 12, 31, 23, 59, 58)


def report(home: str, workshop: str, limit_bytes: int, limit_seconds: float, out: BinaryIO) -> dict[str, Any]:
    """Write the zip of a home to `out`; return the counts of cells and files and what was left out.

    Files go in as long as they fit into `limit_bytes` together, those of the workshop first, for at most
    `limit_seconds`. The same home gives the same zip.
    """
    executed, total = count_cells(f"{home}/{workshop}")
    pack = Pack(out, limit_bytes, time.monotonic() + limit_seconds)
    for name, path in files_of(home, workshop, pack.left_out):
        pack.add(name, path)
    pack.finish()
    return {
        "executed": executed,
        "total": total,
        "files": pack.files,
        "left_out": [name for name, _ in pack.left_out[:20]],
        "left_out_count": len(pack.left_out),
    }


def count_cells(folder: str) -> tuple[int, int]:
    """Return how many code cells of the notebooks right in `folder` were executed, and how many there are.

    Cells without text don't count, nor do notebooks that can't be read or are too large.
    """
    notebooks = [entry.path for entry in entries_of(folder, folder, []) if entry.name.endswith(".ipynb")]
    executed = total = 0
    for path in notebooks[:NOTEBOOKS_AT_MOST]:
        cells = code_cells(path)
        executed += sum(cell.get("execution_count") is not None for cell in cells)
        total += len(cells)
    return executed, total


def code_cells(path: str) -> list[dict[str, Any]]:
    """Return the code cells of a notebook that hold any text; none of what isn't a notebook."""
    try:
        with open_regular(path) as file:
            text = file.read(NOTEBOOK_BYTES + 1)
        cells = json.loads(text)["cells"] if len(text) <= NOTEBOOK_BYTES else []
        return [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError):
        return []


def moment_of(mtime: float) -> tuple[int, ...]:
    """Return a file's time as a zip can hold it: students may set any."""
    try:
        return min(LATEST, max(EARLIEST, time.gmtime(mtime)[:6]))
    except (ValueError, OverflowError, OSError):
        return EARLIEST


def files_of(home: str, workshop: str, left_out: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Walk the files that may be work as (name in the zip, path), those of the workshop first."""
    top = [entry for entry in entries_of(home, "", left_out) if not entry.name.startswith(".")]
    top.sort(key=lambda entry: entry.name != workshop)
    waiting = [(entry.name, entry) for entry in reversed(top)]
    seen = 0
    while waiting:
        name, entry = waiting.pop()
        if entry.name in NO_WORK:
            continue
        seen += 1
        if seen > ENTRIES_AT_MOST:
            left_out.append((name, "and all that follows: too many files"))
            return
        if entry.is_dir(follow_symlinks=False):
            inside = entries_of(entry.path, name, left_out)
            waiting += [(f"{name}/{each.name}", each) for each in reversed(inside)]
        elif entry.is_file(follow_symlinks=False):
            yield name, entry.path
        else:
            left_out.append((name, "a link" if entry.is_symlink() else "not a file"))


def entries_of(folder: str, name: str, left_out: list[tuple[str, str]]) -> list[os.DirEntry[str]]:
    """Return what is in a folder, in order; a link is no folder, and one that can't be read is left out."""
    try:
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            with os.scandir(folder) as found:
                entries = list(islice(found, ENTRIES_AT_MOST + 1))
            if len(entries) > ENTRIES_AT_MOST:
                left_out.append((name, "in part: too many files"))
            return sorted(entries[:ENTRIES_AT_MOST], key=lambda entry: entry.name)
    except OSError as error:
        left_out.append((name, str(error.strerror)))
    return []


def open_regular(path: str) -> BinaryIO:
    """Open a file to read, if it is a regular one; never waits for a pipe, nor follows a link."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "not a file")


class Pack:
    """A zip that is being filled, and what didn't get into it with the reason."""

    def __init__(self, out: BinaryIO, limit_bytes: int, deadline: float) -> None:
        self.archive = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)
        self.left_out: list[tuple[str, str]] = []
        self.files = 0
        self.room, self.deadline = limit_bytes, deadline
        self.names: set[str] = set()

    def add(self, name: str, path: str) -> None:
        """Put a file in, unless there is no room or time for it."""
        try:
            file = open_regular(path)
        except OSError as error:
            self.left_out.append((name, str(error.strerror)))
            return
        with file:
            found = os.fstat(file.fileno())
            if found.st_size > self.room or time.monotonic() > self.deadline:
                self.left_out.append((name, f"no room for {found.st_size} bytes, or no time"))
                return
            info = self.info(name, moment_of(found.st_mtime))
            info.external_attr = (stat.S_IFREG | stat.S_IMODE(found.st_mode) & 0o777) << 16
            with self.archive.open(info, "w", force_zip64=found.st_size > 1 << 31) as target:
                for block in iter(lambda: file.read(min(1 << 20, found.st_size - file.tell())), b""):
                    target.write(block)
        self.room -= found.st_size
        self.files += 1

    def info(self, name: str, moment: tuple[int, ...]) -> zipfile.ZipInfo:
        """Return the head of a member under a name that unpacks on any system, once."""
        usable = "".join(letter if letter.isprintable() and letter not in '\\:*?"<>|' else "_" for letter in name)
        while usable in self.names:
            usable += "_"
        self.names.add(usable)
        info = zipfile.ZipInfo(usable, moment)  # type: ignore[arg-type]
        info.compress_type = zipfile.ZIP_DEFLATED
        return info

    def finish(self) -> None:
        """Close the zip, with a list of what was left out if anything was."""
        if self.left_out:
            lines = [f"{name!r}: {reason}" for name, reason in self.left_out[:LEFT_OUT_TOLD]]
            more = len(self.left_out) - len(lines)
            lines += [f"… and {more} more"] if more else []
            self.archive.writestr(self.info(LIST_NAME, EARLIEST), "\n".join([*lines, ""]))
        self.archive.close()

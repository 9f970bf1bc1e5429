"""The folder in which the control machine keeps what it alone knows about a stack: secrets and host keys."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def stack_folder(state: Path, stack: str) -> Path:
    """Return the folder of a stack below the state folder; it need not be there yet."""
    return state / "stacks" / stack


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Let one process at a time change what is in the folder, which is made if need be, for its owner alone.

    Others wait here, so this is for threads.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)  # the names of what was written last as long as its content
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a file that only its owner can read; after a crash it is the old one or the new one, whole."""
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)

"""The bookings that a check makes, noted beside the stack's secrets: a killed check leaves them to the next."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import StepFailed

_FILE = "check-bookings"


class OpenBookings:
    """The references of bookings that checks from this control machine have not seen ended."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def read(self) -> list[str]:
        """Return the references, the oldest first; one that was not wholly written is no booking's."""
        return os.pread(self._handle, os.fstat(self._handle).st_size, 0).decode(errors="replace").split()

    def add(self, reference: str) -> None:
        """Note a booking, before anything else is done about it."""
        os.write(self._handle, f"{reference}\n".encode())
        os.fsync(self._handle)

    def clear(self) -> None:
        """Forget them: all have ended."""
        os.ftruncate(self._handle, 0)


@contextmanager
def open_bookings(folder: Path) -> Iterator[OpenBookings]:
    """Hold the open bookings of a stack, whose folder is given, for one check at a time.

    Raises StepFailed (check_running) while another one holds them; one that was killed does not.
    """
    handle = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed("Another check is making bookings now.", reason="check_running") from None
        yield OpenBookings(handle)
    finally:
        os.close(handle)

"""Replacing a folder by another at one instant. Part of the agents that travel."""

from __future__ import annotations

import os
from pathlib import Path

AT_WORKING_FOLDER, RENAME_EXCHANGE = -100, 2  # of renameat2(2)


def exchange(first: Path, second: Path) -> None:
    """Swap two folders at one instant; on a file system that can't do so, one after the other."""
    import ctypes  # which python3-minimal does not have

    libc = ctypes.CDLL(None, use_errno=True)
    here = AT_WORKING_FOLDER
    if libc.renameat2(here, os.fsencode(first), here, os.fsencode(second), RENAME_EXCHANGE):
        old = second.rename(f"{first}-old")
        first.rename(second)
        old.rename(first)

"""Fetching a git repository of workshops."""

from __future__ import annotations

import re
from pathlib import Path

from models.errors import Refused
from tasks.adapters.machine import LocalMachine, run_checked

_ADDRESS = re.compile(r"(https|ssh|file)://\S+|[\w.-]+@[\w.-]+:\S+")
_CLONE_SECONDS = 300.0


def is_repository(source: str) -> bool:
    """Tell whether `source` is the address of a repository rather than a folder."""
    return bool(_ADDRESS.fullmatch(source))


async def clone(source: str, target: Path) -> None:
    """Fetch the newest content of a repository into the new folder `target`.

    Nothing of the repository is run: no hooks, filters or submodules.

    Raises:
        Refused: repository_address, for anything but https, ssh or file.
        StepFailed: command_failed.
    """
    if not is_repository(source):
        raise Refused(f"{source} is not the address of a git repository.", reason="repository_address")
    options = ["-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false"]
    await run_checked(
        LocalMachine(),
        ["git", *options, "clone", "--quiet", "--depth", "1", "--no-tags", "--", source, str(target)],
        timeout_seconds=_CLONE_SECONDS,
    )

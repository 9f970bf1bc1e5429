"""The code that services run, where their accounts can read it."""

from __future__ import annotations

import dataclasses
import shutil
import stat
from pathlib import Path

from deployments.stack.accounts import closed_folder, is_root
from deployments.stack.layout import Layout

PACKAGES = ("deployments", "flows", "models", "tasks", "ui")


def ensure_open_source(layout: Layout) -> Layout:
    """Return the layout whose code every account can read.

    That is the clone, unless root started the platform from one that is closed to other accounts: then it
    is a copy beside the environments, made anew on every start.
    """
    if not is_root() or _is_open(layout.source):
        return layout
    copy = layout.home / "source"
    aside = layout.home / "source.new"
    for folder in (aside, copy):
        shutil.rmtree(folder, ignore_errors=True)
    aside.mkdir(mode=0o755)
    for package in PACKAGES:
        shutil.copytree(layout.source / package, aside / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path in aside.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    aside.rename(copy)
    return dataclasses.replace(layout, source=copy)


def _is_open(source: Path) -> bool:
    """Whether other accounts can read the code; a strict umask closes files in an open folder."""
    return closed_folder(source / "models") is None and bool(
        stat.S_IMODE((source / "models/settings.py").stat().st_mode) & stat.S_IROTH
    )

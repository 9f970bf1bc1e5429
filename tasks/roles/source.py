"""The release as machines get it: the services' code, the locks of environments, the hub's files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("deployments", "flows", "models", "tasks", "ui")
# What the catalog consists of: its pages, and the client of the API.
_CATALOG = (
    "ui/__init__.py",
    "ui/api/__init__.py",
    "ui/api/client.py",
    "ui/api/own_schemas.py",
    "ui/api/schemas.py",
)


@dataclass(frozen=True)
class Release:
    """The parts of a release: tars of folders, and lock files as text."""

    platform: bytes = field(repr=False)
    catalog: bytes = field(repr=False)
    hub: bytes = field(repr=False)
    proxy: bytes = field(repr=False)
    platform_lock: str = field(repr=False)
    catalog_lock: str = field(repr=False)
    hub_lock: str = field(repr=False)
    node_lock: str = field(repr=False)
    uv_lock: str = field(repr=False)


def read_release() -> Release:
    """Return the release that this program is part of. The same files give the same bytes."""
    locks = _ROOT / "deployments/locks"
    return Release(
        platform=_tar(_ROOT, [_ROOT / "pyproject.toml", _ROOT / "README.md", *_packages()]),
        catalog=_tar(_ROOT, [*map(_ROOT.joinpath, _CATALOG), *_files(_ROOT / "ui/catalog")]),
        hub=_tar(_ROOT / "deployments/hub", _files(_ROOT / "deployments/hub")),
        proxy=_tar(locks / "proxy", _files(locks / "proxy")),
        platform_lock=(locks / "platform.txt").read_text(),
        catalog_lock=(locks / "catalog.txt").read_text(),
        hub_lock=(locks / "hub.txt").read_text(),
        node_lock=(locks / "node.txt").read_text(),
        uv_lock=(locks / "uv.txt").read_text(),
    )


def pack_folder(folder: Path) -> bytes:
    """Return a tar of a folder, without what git keeps in it. The same files give the same bytes."""
    return _tar(folder, [path for path in _files(folder) if ".git" not in path.relative_to(folder).parts])


def _packages() -> Iterable[Path]:
    for package in _PACKAGES:
        yield from _files(_ROOT / package)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _tar(folder: Path, files: Iterable[Path]) -> bytes:
    """Return a tar of files that all may read, without what differs from clone to clone: times and owners."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return content.getvalue()

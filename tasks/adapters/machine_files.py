"""Folders, files, links and trees of a machine. Part of the machine agent."""

from __future__ import annotations

import hashlib
import os
import stat
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.adapters.folder_exchange import exchange
from tasks.adapters.machine_tools import (
    Change,
    Failed,
    Removed,
    aside_of,
    difference,
    found_owner,
    found_status,
    owner_ids,
    remove_tree,
    rename,
    run_tool,
    write_whole,
)

Noted = dict[str, Any]
MADE = ".made"  # holds the digest of what a tree was made from
ORIGINALS = "originals"  # in the state folder
GZIP = b"\x1f\x8b"


def folder_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes a folder what it should be."""
    path = Path(wanted["path"])
    found = found_status(path)
    if found and not stat.S_ISDIR(found.st_mode):
        raise Failed(f"{path} is there already and is not a folder.")
    details = ["new"] if not found else _differences(found, wanted)
    if not details:
        return None

    def act() -> None:
        owner = found_owner(wanted["owner"], wanted["group"])
        with suppress(FileExistsError):
            path.mkdir(0o700)
        os.chown(path, *owner, follow_symlinks=False)
        path.chmod(wanted["mode"])

    return Change(", ".join(details), act, _made(noted, found))


def file_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes a file what it should be."""
    path, content = Path(wanted["path"]), b64decode(wanted["content"])
    found = found_status(path)
    if found and stat.S_ISDIR(found.st_mode):
        raise Failed(f"{path} is there already and is a folder.")
    is_file = found is not None and stat.S_ISREG(found.st_mode)
    has_content = is_file and path.read_bytes() == content
    details = _differences(found, wanted) if found and is_file else []
    if has_content and not details:
        return None
    keeping = Original(path, noted, found, state)

    def act() -> None:
        keeping.save()
        write_whole(path, content, found_owner(wanted["owner"], wanted["group"]), wanted["mode"])

    if not has_content:
        details.insert(0, "new content" if found else "new")
        details += [] if wanted["is_secret"] or not content else [difference(path, content)]
    return Change("\n".join(details), act, keeping.notes)


def link_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes a link point to where it should."""
    path, target = Path(wanted["path"]), wanted["target"]
    found = found_status(path)
    if found and stat.S_ISDIR(found.st_mode):
        raise Failed(f"{path} is there already and is a folder.")
    if found and stat.S_ISLNK(found.st_mode) and str(path.readlink()) == target:
        return None
    keeping = Original(path, noted, found, state)

    def act() -> None:
        keeping.save()
        put_link(path, target)

    return Change(f"to {target}", act, keeping.notes)


def put_link(path: Path, target: str) -> None:
    """Make a link, or turn one, at one instant."""
    aside = aside_of(path)
    with suppress(FileNotFoundError):
        aside.unlink()
    aside.symlink_to(target)
    rename(aside, path)


def tree_change(wanted: Noted, noted: Noted, state: Path) -> Change | None:
    """Return what makes a folder that which the tar holds."""
    path, digest = Path(wanted["path"]), wanted["digest"]
    found = found_status(path)
    marker = path / MADE
    if found and stat.S_ISDIR(found.st_mode) and marker.is_file() and marker.read_text() == digest:
        return None
    is_ours = noted.get("made") or not found or (stat.S_ISDIR(found.st_mode) and not any(path.iterdir()))
    if not is_ours:
        raise Failed(f"{path} is there already, and the installer did not make it.")

    def act() -> None:
        aside = aside_of(path)
        remove_tree(aside)
        aside.mkdir(0o755)
        archive = b64decode(wanted["archive"])
        unzip = ["--gzip"] if archive.startswith(GZIP) else []
        own = ["--no-same-owner", "--no-same-permissions"]
        run_tool("tar", "--extract", *unzip, *own, "--directory", str(aside), stdin=archive)
        run_tool("chmod", "--recursive", "go+rX,go-w", str(aside))
        (aside / MADE).write_text(digest)
        run_tool("sync", "--file-system", str(aside))
        if found_status(path):
            exchange(aside, path)
            remove_tree(aside)
        else:
            rename(aside, path)

    return Change("new content" if found else "new", act, {"made": True})


def remove_folder(noted: Noted, state: Path) -> Removed:
    """Remove a folder that was made for the role and is empty, and say what was done."""
    path = Path(noted["path"])
    if not noted.get("made"):
        return Removed(False, "stays, as it was there before")
    try:
        path.rmdir()
    except FileNotFoundError:
        return Removed(False, "is gone already")
    except OSError:
        return Removed(False, "stays, as it is not empty")
    return Removed(True, "removed")


def remove_file(noted: Noted, state: Path) -> Removed:
    """Remove a file or link, or put back what was there before, and say what was done."""
    path = Path(noted["path"])
    saved = state / ORIGINALS / noted["original"] if noted.get("original") else None
    if saved and found_status(saved):
        copy_as_it_is(saved, path)
        saved.unlink()
        return Removed(True, "what was there before is put back")
    if not noted.get("made"):
        return Removed(False, "stays, as it was there before")
    with suppress(FileNotFoundError):
        path.unlink()
    return Removed(True, "removed")


def remove_made_tree(noted: Noted, state: Path) -> Removed:
    """Remove a tree."""
    remove_tree(aside_of(Path(noted["path"])), Path(noted["path"]))
    return Removed(True, "removed")


def copy_as_it_is(source: Path, target: Path) -> None:
    """Copy a file or link with all that belongs to it, whole or not at all."""
    aside = aside_of(target)
    run_tool("cp", "--archive", "--remove-destination", "--", str(source), str(aside))
    rename(aside, target)


class Original:
    """What was at a path before the role first wrote there; `notes` are to be written before it is saved."""

    def __init__(self, path: Path, noted: Noted, found: os.stat_result | None, state: Path) -> None:
        self.path = path
        name = noted.get("original")
        originals = state / ORIGINALS
        self.is_known = bool(noted.get("made") or (name and found_status(originals / name)) or not found)
        self.saved = originals / (name or hashlib.sha256(os.fsencode(path)).hexdigest()[:16])
        self.notes = _made(noted, found) if found is None or noted.get("made") else {"original": self.saved.name}

    def save(self) -> None:
        """Keep it, once."""
        if not self.is_known:
            copy_as_it_is(self.path, self.saved)


def _made(noted: Noted, found: os.stat_result | None) -> Noted:
    return {} if "made" in noted or "original" in noted else {"made": found is None}


def _differences(found: os.stat_result, wanted: Noted) -> list[str]:
    mode = stat.S_IMODE(found.st_mode)
    details = [] if mode == wanted["mode"] else [f"mode {mode:04o} -> {wanted['mode']:04o}"]
    if owner_ids(wanted["owner"], wanted["group"]) != (found.st_uid, found.st_gid):
        details.append(f"owner {found.st_uid}:{found.st_gid} -> {wanted['owner']}:{wanted['group']}")
    return details

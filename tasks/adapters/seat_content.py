"""What is delivered to a seat: a tar, unpacked into the home that is being built. Part of the seat agent."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO, cast

from tasks.adapters.seat_home import FAILED, REFUSED, Seat, Trouble


def unpack(seat: Seat, folder: Path, content: BinaryIO) -> None:
    """Unpack a tar of files, folders and links that stay inside `folder`; refuse one that holds any other."""
    links: dict[Path, str] = {}
    try:
        with tarfile.open(fileobj=content, mode="r|*") as archive:
            for member in archive:
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    raise _unsafe(member.name)
                path = folder / member.name
                _make_folders(seat, folder, path if member.isdir() else path.parent)
                if member.isreg():
                    source = cast(BinaryIO, archive.extractfile(member))
                    seat.add_file(path, source, 0o755 if member.mode & 0o100 else 0o644)
                elif member.issym():
                    links[path] = member.linkname
                elif not member.isdir():
                    raise _unsafe(member.name)
        for path, target in links.items():  # last, so that nothing is written through them
            path.symlink_to(target)
    except tarfile.TarError as error:
        raise Trouble(FAILED, "content_broken", f"{seat.account} got broken content: {error}.") from None
    except (FileExistsError, NotADirectoryError) as error:
        raise _unsafe(str(error.filename)) from None
    for path in links:
        if folder.resolve() not in path.resolve().parents:
            raise _unsafe(str(path.relative_to(folder)))


def _make_folders(seat: Seat, top: Path, folder: Path) -> None:
    """Make the folders that are missing from `top` down to `folder`."""
    if not folder.is_dir():
        _make_folders(seat, top, folder.parent)
        folder.mkdir(0o755)
        seat.give(folder)


def _unsafe(name: str) -> Trouble:
    return Trouble(
        REFUSED, "content_unsafe", f"The content holds {name!r}, which is no plain file or folder of a home."
    )

"""The students' archived work: kept for as long as was promised, then removed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from models.store.bookings import expired_archives
from models.tables import utc_now
from tasks.running_platform import current_platform

# No archive takes this long to be written.
_UNFINISHED_SECONDS = 3600


async def drop_expired_archives() -> int:
    """Remove the archives whose time is over, and what a killed engine left unfinished; count the first."""
    platform = current_platform()
    folder = platform.archive(0).parent
    for path in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                path.unlink()
    kept = {int(path.stem) for path in _archives(folder)}
    if not kept:
        return 0
    async with platform.database.transaction() as session:
        expired = await expired_archives(session, kept, utc_now())
    for booking_id in expired:
        with contextlib.suppress(FileNotFoundError):
            platform.archive(booking_id).unlink()
    return len(expired)


def _archives(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.zip") if path.stem.isdigit()]

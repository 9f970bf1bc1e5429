"""The students' archived work: kept for as long as was promised, then removed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from models.store.bookings import expired_archives
from models.tables import utc_now
from tasks.running_platform import current_platform


async def drop_expired_archives() -> int:
    """Remove the archives whose time is over; return how many there were."""
    platform = current_platform()
    kept = {int(path.stem) for path in _archives(platform.archive(0).parent)}
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

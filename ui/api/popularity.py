"""Which workshops are popular: reckoned from all bookings of all times, so not for each request."""

from __future__ import annotations

import time

from sqlalchemy.ext.asyncio import AsyncSession

from models.store.catalog import popular_workshops

# How long an answer holds, as a multiple of what it took: at most 1 % of the time goes into this, however
# many bookings there are, and while there are few the answer is never older than a moment.
_HOLDS_FOR = 100


class Popularity:
    """The popular workshops as they were a moment ago; for one event loop."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._valid_until = 0.0

    async def ids(self, session: AsyncSession) -> set[int]:
        """Return the ids of the popular workshops."""
        begun = time.monotonic()
        if begun >= self._valid_until:
            self._ids = await popular_workshops(session)
            now = time.monotonic()
            self._valid_until = now + _HOLDS_FOR * (now - begun)
        return self._ids

"""Which workshops are popular: reckoned from all bookings of all times."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from models.store.catalog import popular_workshops
from ui.api.lasting import Lasting


class Popularity:
    """The popular workshops as they were a moment ago; for one event loop."""

    def __init__(self) -> None:
        self._ids = Lasting(popular_workshops)

    async def ids(self, session: AsyncSession) -> set[int]:
        """Return the ids of the popular workshops."""
        return await self._ids.get(session)

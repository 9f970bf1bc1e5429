"""Which workshops are popular: reckoned from all bookings of all times."""

from __future__ import annotations

from models.store.catalog import popular_workshops
from models.store.database import Session
from ui.api.lasting import Lasting


class Popularity:
    """The popular workshops as they were a moment ago; for one event loop."""

    def __init__(self) -> None:
        self._ids = Lasting(popular_workshops)

    async def ids(self, session: Session) -> set[int]:
        """Return the ids of the popular workshops."""
        return await self._ids.get(session)

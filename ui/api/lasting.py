"""What is reckoned from all that there ever was, and so not for each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from models.store.database import Session

T = TypeVar("T")

# How long an answer holds, as a multiple of what it took: at most 5 % of the time goes into each, however
# much there is to read, and while there is little the answer is never older than a moment.
_HOLDS_FOR = 20


class Lasting(Generic[T]):
    """What a query answered a moment ago; for one event loop."""

    def __init__(self, query: Callable[[Session], Awaitable[T]]) -> None:
        self._query = query
        self._answer: T | None = None
        self._valid_until = 0.0
        self._asking = asyncio.Lock()

    async def get(self, session: Session) -> T:
        """Return the answer, asking the database only when it is too old."""
        async with self._asking:
            begun = time.monotonic()
            if self._answer is None or begun >= self._valid_until:
                self._answer = await self._query(session)
                now = time.monotonic()
                self._valid_until = now + _HOLDS_FOR * (now - begun)
            return self._answer

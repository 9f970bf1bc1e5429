"""How often a log-in may fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from models.rules.networks import client_of

T = TypeVar("T")

# Of one name, from all addresses together: some more, so that nobody alone can keep a user out.
_ADDRESSES_OF_A_USER = 10
_LONGEST_NAME = 64


class TooManyAttempts(Exception):
    """No further attempt is taken for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many log-ins have failed")
        self.seconds = seconds


class Attempts:
    """Counts failed log-ins by address, and by name whether somebody has it or not; for one event loop."""

    def __init__(self, rate: str) -> None:
        self._by_address = parse(rate)
        self._by_name = type(self._by_address)(
            self._by_address.amount * _ADDRESSES_OF_A_USER, self._by_address.multiples
        )
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._turn = asyncio.Lock()

    async def let(self, attempt: Callable[[], Awaitable[T | None]], address: str, username: str) -> T | None:
        """Return what an attempt comes to, None being a failure; one at a time, so that none is uncounted.

        Raises:
            TooManyAttempts: this one was not made.

        """
        counted = (
            (self._by_address, "address", client_of(address)),
            (self._by_name, "name", username.strip().lower()[:_LONGEST_NAME]),
        )
        async with self._turn:
            for rate, *names in counted:
                if not await self._limiter.test(rate, *names):
                    raise TooManyAttempts(await self._seconds_to_wait(rate, *names))
            outcome = await attempt()
            if outcome is None:
                for rate, *names in counted:
                    await self._limiter.hit(rate, *names)
        return outcome

    async def _seconds_to_wait(self, rate: RateLimitItem, *names: str) -> float:
        return max(1.0, (await self._limiter.get_window_stats(rate, *names)).reset_time - time.time())

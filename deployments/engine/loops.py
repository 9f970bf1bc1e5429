"""How an engine's work goes on: again and again, whatever one round of it raises."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]

# Before what failed is tried again, even if there is more to do.
_REST_SECONDS = 1


async def forever(work: Work, pause_seconds: float) -> None:
    """Do `work` again and again, with a pause between, until cancelled."""
    while True:
        await _done(work)
        await asyncio.sleep(pause_seconds)


async def whenever(due: asyncio.Event, work: Work, sweep_seconds: float) -> None:
    """Do `work` now, whenever `due` is set, and when it was not for `sweep_seconds`, until cancelled."""
    while True:
        due.clear()
        if not await _done(work):
            await asyncio.sleep(_REST_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(due.wait(), sweep_seconds)


def summary(error: Exception) -> str:
    """Return an error in one line for the log."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


async def _done(work: Work) -> bool:
    try:
        await work()
    except Exception as error:
        logger.warning("%s failed: %s", work.__qualname__, summary(error))
        return False
    return True

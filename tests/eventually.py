"""Waiting in tests for what comes a moment later."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.2


async def eventually(
    find: Callable[[], T | Awaitable[T]], what: str | Callable[[], str], seconds: float = 20
) -> T:
    """Return what `find` finds as soon as it is true; AssertionError, with `what`, when it never is in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = find()
        here = await found if inspect.isawaitable(found) else found
        if here:
            return here
        assert time.monotonic() < deadline, _never(what)
        await asyncio.sleep(_PAUSE_SECONDS)


def until(find: Callable[[], T], what: str | Callable[[], str], seconds: float = 20) -> T:
    """Return what `find` finds, as `eventually` does, outside of an event loop."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, _never(what)
        time.sleep(_PAUSE_SECONDS)
    return found


def _never(what: str | Callable[[], str]) -> str:
    return f"never: {what if isinstance(what, str) else what()}"

"""The engine's share of what students wait for: offers of seats, the mails about them, how far a session is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tasks.measuring import measure_next
from tasks.offering import attend_lines
from tasks.outbox import send_line_mails

logger = logging.getLogger(__name__)

# Sessions that are measured at once: it must not be felt by those who are being let in.
_MEASURED_AT_ONCE = 2
_MAILS_AT_ONCE = 20


class Attending:
    """Work that is done by sweeps, and whenever one of its events is set."""

    def __init__(self, sweep_seconds: float) -> None:
        self._sweep_seconds = sweep_seconds
        self._mails_due = asyncio.Event()
        self.seats_due = asyncio.Event()
        self.measures_due = asyncio.Event()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to run side by side until it is cancelled."""
        return [
            self._whenever(self.seats_due, self._offer_seats),
            # Apart from the offers, which a slow mail server must not hold up.
            self._whenever(self._mails_due, self._send_mails),
            self._whenever(self.measures_due, self._measure),
        ]

    async def _offer_seats(self) -> None:
        await attend_lines()
        self._mails_due.set()

    async def _send_mails(self) -> None:
        if await send_line_mails(_MAILS_AT_ONCE) == _MAILS_AT_ONCE:
            self._mails_due.set()

    async def _measure(self) -> None:
        while any(await asyncio.gather(*(measure_next() for _ in range(_MEASURED_AT_ONCE)))):
            continue

    async def _whenever(self, due: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            due.clear()
            try:
                await work()
            except Exception as error:
                # What a database says may quote addresses.
                logger.warning("%s failed: %s", work.__name__.strip("_"), type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), self._sweep_seconds)

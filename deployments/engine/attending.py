"""The engine's share of what students wait for: offers of seats, the mails about them, how far a session is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from deployments.engine.loops import whenever
from tasks.measuring import measure_next
from tasks.offering import attend_lines
from tasks.outbox import send_line_mails

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
            whenever(self.seats_due, self._offer_seats, self._sweep_seconds),
            # Apart from the offers, which a slow mail server must not hold up.
            whenever(self._mails_due, self._send_mails, self._sweep_seconds),
            whenever(self.measures_due, self._measure, self._sweep_seconds),
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

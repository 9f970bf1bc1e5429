"""The engine's share of telling partners' webhooks: a few at once, and of each partner no more than two."""

from __future__ import annotations

import asyncio
import logging

from deployments.engine.loops import whenever
from models.store.deliveries import DeliveryClaim
from tasks.adapters.webhooks import WebhookSender
from tasks.partner_deliveries import deliver, next_delivery
from tasks.running_platform import Platform

logger = logging.getLogger(__name__)

# Messages that are on their way at once; each may take as long as WebhookSender waits.
_AT_ONCE = 8


class Deliveries:
    """Delivers what is due, by sweeps and whenever `due` is set."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._sender = WebhookSender(takes_loopback=platform.settings.is_of_this_machine)
        self._running: set[asyncio.Task[None]] = set()
        self.due = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled; what is on its way then is delivered again when its lease is given back."""
        try:
            await whenever(self.due, self._begin_what_is_due, self._platform.settings.sweep_seconds)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._sender.close()

    async def _begin_what_is_due(self) -> None:
        while len(self._running) < _AT_ONCE:
            claim = await next_delivery(self._platform)
            if claim is None:
                return
            task = asyncio.create_task(self._deliver(claim))
            self._running.add(task)
            task.add_done_callback(self._finished)

    async def _deliver(self, claim: DeliveryClaim) -> None:
        try:
            await deliver(self._platform, self._sender, claim)
        except Exception as error:
            # Its lease ends, and it is delivered again.
            logger.warning("%s was not noted: %s", claim.reference, type(error).__name__)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.due.set()

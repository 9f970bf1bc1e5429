"""What an engine sees around it, written down for health: that it lives, Prefect, and the hubs."""

from __future__ import annotations

import asyncio
import time

from deployments.engine.recorder import Recorder
from models.errors import WodError
from models.store.backends import listed_backends, note_hub
from models.store.engines import beat, end_beat
from models.tables import Backend, utc_now
from tasks.running_platform import Platform

# How often a hub is asked that answered, and how often one that didn't.
HUB_SECONDS, AWAY_HUB_SECONDS = 60.0, 2.0
_ANSWER_SECONDS = 10.0


class Lookout:
    """The eyes of one engine."""

    def __init__(self, platform: Platform, recorder: Recorder) -> None:
        self._platform = platform
        self._recorder = recorder
        self._next_look: dict[int, float] = {}

    async def beat(self) -> None:
        """Note that this engine lives."""
        async with self._platform.database.transaction() as session:
            await beat(session, self._platform.owner, utc_now(), sees_prefect=self._recorder.is_available)

    async def look_at_hubs(self) -> None:
        """Ask the hubs whose turn it is, all at once, and note which do not answer."""
        if self._next_look and min(self._next_look.values()) > time.monotonic():
            return
        async with self._platform.database.transaction() as session:
            backends = await listed_backends(session)
        due = [each for each in backends if self._next_look.get(each.number, 0) <= time.monotonic()]
        failures = await asyncio.gather(*(self._why_away(each) for each in due))
        async with self._platform.database.transaction() as session:
            for backend, failure in zip(due, failures, strict=True):
                await note_hub(session, backend.number, failure)
        for backend, failure in zip(due, failures, strict=True):
            self._next_look[backend.number] = time.monotonic() + (AWAY_HUB_SECONDS if failure else HUB_SECONDS)

    async def end(self) -> None:
        """Note that this engine has stopped."""
        async with self._platform.database.transaction() as session:
            await end_beat(session, self._platform.owner)

    async def _why_away(self, backend: Backend) -> str:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._platform.hub(backend).look()
        except TimeoutError:
            return f"The hub did not answer within {_ANSWER_SECONDS:.0f} s."
        except WodError as error:
            return error.message
        return ""

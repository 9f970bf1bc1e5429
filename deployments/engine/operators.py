"""What operators ask for in Prefect: runs to start, to try again, or to cancel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from deployments.engine.loops import summary
from deployments.engine.recorder import Recorder, engine_of, for_each_run
from deployments.engine.registry import FLOW_OF
from models.errors import Refused
from models.rules.booking import Work
from models.store.engines import living_engines
from models.store.work import BookingClaim, claim_booking, release_booking
from models.tables import utc_now
from tasks.running_platform import Platform

logger = logging.getLogger(__name__)

# How often Prefect is asked what operators want.
LOOK_SECONDS = 10
CANCEL_SECONDS = 5


class BookingWork(Protocol):
    """What an engine does for bookings."""

    def start(self, claim: BookingClaim, flow_name: str, flow_run: FlowRun | None) -> None:
        """Work on a claim, as `flow_run` if an operator started it, else as the booking's own run."""

    async def cancel(self, booking_id: int) -> bool:
        """Cancel what runs here for a booking; return whether anything did."""


class Operators:
    """Does what operators ask for: in the engine's work on bookings, and in runs that are about none."""

    def __init__(self, platform: Platform, recorder: Recorder, bookings: BookingWork) -> None:
        self._platform = platform
        self._recorder = recorder
        self._bookings = bookings
        self._running: dict[UUID, asyncio.Task[None]] = {}

    def tasks(self) -> Mapping[UUID, asyncio.Task[None]]:
        """Return what runs here and is about no booking, by its run."""
        return self._running

    async def obey(self) -> None:
        """Cancel and start what operators want cancelled and started."""
        await self._recorder.look()
        await for_each_run(await self._recorder.cancelling(), self._cancel)
        await for_each_run(await self._recorder.scheduled(), self._claim)

    async def _claim(self, run: FlowRun) -> None:
        flow_name = await self._recorder.claim(run, self._platform.owner)
        if flow_name:
            await self._start(flow_name, await self._recorder.read(run.id))

    async def _cancel(self, run: FlowRun) -> None:
        """Cancel a run that is worked on here; one that another engine works on is left to it."""
        booking_id = run.parameters.get("booking_id")
        if booking_id is not None:
            if not await self._bookings.cancel(booking_id) and await self._is_held_elsewhere(booking_id):
                return
        elif task := self._running.get(run.id):
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_SECONDS)
        elif await self._is_worked_on(run):
            return
        await self._recorder.mark_cancelled(run.id)

    async def _is_held_elsewhere(self, booking_id: int) -> bool:
        try:
            booking = (await self._platform.details(booking_id)).booking
        except Refused:  # there is no such booking
            return False
        return booking.lease_until is not None and booking.lease_until > utc_now()

    async def _is_worked_on(self, run: FlowRun) -> bool:
        """Tell whether another engine works on a run; this one knows by its tasks, whatever a label says."""
        async with self._platform.database.transaction() as session:
            living = {each.owner for each in await living_engines(session, utc_now())}
        return engine_of(run) in living - {self._platform.owner}

    async def _start(self, flow_name: str, run: FlowRun) -> None:
        booking_id = run.parameters.get("booking_id")
        if booking_id is None:
            task = asyncio.create_task(self._recorder.run_as(run, flow_name, **run.parameters))
            self._running[run.id] = task
            task.add_done_callback(lambda done: self._finished(run, done))
            return
        lease = timedelta(seconds=self._platform.settings.lease_seconds)
        async with self._platform.database.transaction() as session:
            claim = await claim_booking(session, booking_id, self._platform.owner, utc_now(), lease)
        if claim is None:
            await self._recorder.mark_failed(run.id, f"Booking {booking_id} is finished, or being worked on.")
            return
        # A session that is open may be ended before its time; everything else comes in its order.
        can_end_early = claim.work is Work.REMIND and flow_name == FLOW_OF[Work.END]
        if flow_name == FLOW_OF[claim.work] or can_end_early:
            self._bookings.start(claim, flow_name, run)
            return
        async with self._platform.database.transaction() as session:
            await release_booking(session, booking_id, self._platform.owner)
        await self._recorder.mark_failed(
            run.id, f"Booking {booking_id} is {claim.state}: {FLOW_OF[claim.work]} is what comes next."
        )

    def _finished(self, run: FlowRun, task: asyncio.Task[None]) -> None:
        self._running.pop(run.id, None)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            logger.warning("run %s failed: %s", run.name, summary(error))

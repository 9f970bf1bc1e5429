"""The loop that claims due work from PostgreSQL and runs it with bounded concurrency."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from prefect.client.schemas.objects import FlowRun

from deployments.engine.attending import Attending
from deployments.engine.deliveries import Deliveries
from deployments.engine.left_runs import close_left_runs
from deployments.engine.lookout import AWAY_HUB_SECONDS, Lookout
from deployments.engine.loops import forever, summary, whenever
from deployments.engine.operators import CANCEL_SECONDS, LOOK_SECONDS, Operators
from deployments.engine.recorder import Recorder
from deployments.engine.registry import FLOW_OF
from models.errors import Refused, Stale, WodError
from models.rules.booking import BookingEvent, BookingState, Work, retry_delay
from models.store.bookings import move
from models.store.database import DELIVERIES, MEASURES, SEATS
from models.store.engines import BEAT_SECONDS
from models.store.work import (
    BookingClaim,
    claim_bookings,
    postpone_booking,
    release_leases,
    renew_leases,
)
from models.tables import utc_now
from tasks.archives import drop_expired_archives
from tasks.catching_up import catch_up
from tasks.feedback import forward_feedback
from tasks.outbox import sweep_outbox
from tasks.partner_deliveries import forget_old_deliveries
from tasks.preparing import start_server
from tasks.running_platform import Platform

logger = logging.getLogger(__name__)

_MAILS_A_SWEEP = 20

# How long running work may go on after the stop: shorter than the supervisor's patience.
_DRAIN_SECONDS = 6
_CLEARING_SECONDS = 600
_LEFT_RUNS_SECONDS = 15
_FEEDBACK_SECONDS = 60


class Engine:
    """One process's share of all bookings' work; any number of engines may run."""

    def __init__(self, platform: Platform, recorder: Recorder) -> None:
        self._platform = platform
        self._recorder = recorder
        self._settings = platform.settings
        self._lease = timedelta(seconds=self._settings.lease_seconds)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._next: dict[int, tuple[BookingClaim, str, FlowRun | None]] = {}
        self._cancelled: set[int] = set()
        self._wake = asyncio.Event()
        self._operators = Operators(platform, recorder, self)
        self._lookout = Lookout(platform, recorder)
        self._deliveries = Deliveries(platform)
        self._attending = Attending(self._settings.sweep_seconds)
        self._woken_by = {
            DELIVERIES: self._deliveries.due,
            SEATS: self._attending.seats_due,
            MEASURES: self._attending.measures_due,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then let running work end for a moment, and give the leases back."""
        loops = [
            whenever(self._wake, self._claim, self._settings.sweep_seconds),
            forever(self._listen, 1),
            forever(self._renew, self._settings.lease_seconds / 3),
            forever(self._lookout.beat, BEAT_SECONDS),
            forever(self._lookout.look_at_hubs, AWAY_HUB_SECONDS),
            forever(self._sweep_mails, self._settings.sweep_seconds),
            self._deliveries.run(),
            *self._attending.loops(),
            forever(self._operators.obey, LOOK_SECONDS),
            forever(self._drop_archives, _CLEARING_SECONDS),
            forever(self._forget_deliveries, _CLEARING_SECONDS),
            forever(self._forward_feedback, _FEEDBACK_SECONDS),
            forever(self._close_left_runs, _LEFT_RUNS_SECONDS),
            *(self._start_servers() for _ in range(self._settings.prestart_limit)),
        ]
        tasks = [asyncio.create_task(each) for each in loops]
        await stop.wait()
        tasks[0].cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=_DRAIN_SECONDS)
        self._next.clear()
        left = [*tasks, *self._running.values(), *self._operators.tasks().values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        async with self._platform.database.transaction() as session:
            await release_leases(session, self._platform.owner)
        await self._lookout.end()

    async def _claim(self) -> None:
        free = self._settings.engine_concurrency - len(self._running)
        if free <= 0:
            return
        async with self._platform.database.transaction() as session:
            claims = await claim_bookings(session, self._platform.owner, utc_now(), self._lease, free)
        for claim in claims:
            self.start(claim, FLOW_OF[claim.work], None)

    def start(self, claim: BookingClaim, flow_name: str, flow_run: FlowRun | None) -> None:
        """Work on a claim; what still runs for the booking was overtaken, and is ended first."""
        if claim.booking_id in self._running:
            self._next[claim.booking_id] = (claim, flow_name, flow_run)
            self._running[claim.booking_id].cancel()
            return
        task = asyncio.create_task(self._work(claim, flow_name, flow_run))
        self._running[claim.booking_id] = task
        task.add_done_callback(lambda _: self._finished(claim.booking_id))

    async def cancel(self, booking_id: int) -> bool:
        """Cancel, for an operator, what runs here for a booking; return whether anything did."""
        task = self._running.get(booking_id)
        if task is None:
            return False
        self._cancelled.add(booking_id)
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
        return True

    def _finished(self, booking_id: int) -> None:
        self._running.pop(booking_id, None)
        # A cancellation that came after the work's end must not be taken for one of the work that follows.
        self._cancelled.discard(booking_id)
        if booking_id in self._next:
            self.start(*self._next.pop(booking_id))
        self._wake.set()

    async def _work(self, claim: BookingClaim, flow_name: str, flow_run: FlowRun | None) -> None:
        try:
            if flow_run is not None:
                await self._recorder.run_as(flow_run, flow_name, booking_id=claim.booking_id)
            else:
                key = f"{claim.work}-{claim.booking_id}"
                label = f"booking {claim.booking_id}"
                await self._recorder.run(flow_name, key, label, booking_id=claim.booking_id)
        except Stale as stale:
            logger.info("booking %d: %s", claim.booking_id, stale.detail or stale.message)
            # Under a lease that was lost this changes nothing; otherwise the machine knows better than we do.
            if stale.generation is None or not await self._caught_up(claim, stale.generation):
                await self._record_failure(claim, stale.message, is_final=False)
        except WodError as error:
            logger.warning("booking %d: %s (%s) %s", claim.booking_id, error.message, error.reason, error.detail)
            await self._record_failure(claim, error.message, is_final=isinstance(error, Refused))
        except asyncio.CancelledError:
            if claim.booking_id in self._cancelled:
                self._cancelled.discard(claim.booking_id)
                await self._record_failure(claim, "Cancelled by an operator.", is_final=True)
            raise
        except Exception as error:
            logger.exception("booking %d failed", claim.booking_id)
            await self._record_failure(claim, f"Internal error ({type(error).__name__}).", is_final=False)

    async def _caught_up(self, claim: BookingClaim, machine_generation: int) -> bool:
        """Go on above a machine that is ahead of the database; tell whether nothing is left to write down."""
        try:
            await catch_up(claim.booking_id, machine_generation)
        except Stale:
            logger.info("booking %d has moved on", claim.booking_id)
        except Exception as error:
            logger.warning("booking %d did not catch up: %s", claim.booking_id, summary(error))
            return False
        return True

    async def _record_failure(self, claim: BookingClaim, failure: str, *, is_final: bool) -> None:
        """Write a failed attempt down: give a preparation up when its time is over, else try again later."""
        settings, now = self._settings, utc_now()
        too_old = now - claim.created_at >= timedelta(seconds=settings.prepare_limit_seconds)
        wait = retry_delay(claim.attempts + 1, settings.retry_first_seconds, settings.retry_longest_seconds)
        try:
            async with self._platform.database.transaction() as session:
                if claim.work is Work.SERVE and (is_final or too_old):
                    state = BookingState((await self._platform.details(claim.booking_id)).booking.state)
                    await move(
                        session,
                        claim.booking_id,
                        state,
                        BookingEvent.GIVE_UP,
                        now,
                        owner=self._platform.owner,
                        detail=failure,
                        failure=failure,
                    )
                else:
                    await postpone_booking(session, claim, self._platform.owner, now, wait, failure)
        except Stale:
            logger.info("booking %d has moved on", claim.booking_id)
        except Exception as error:
            # Its lease ends, and the booking is claimed again.
            logger.warning("booking %d: the failure was not written down: %s", claim.booking_id, summary(error))

    async def _listen(self) -> None:
        async for said in self._platform.database.listen():
            self._woken_by.get(said, self._wake).set()

    async def _renew(self) -> None:
        if not self._running:
            return
        async with self._platform.database.transaction() as session:
            kept = await renew_leases(session, self._platform.owner, utc_now() + self._lease, list(self._running))
        # A booking without our lease here has been finished by its own last step, or was lost to another
        # engine; only the second must stop, and its next write stops it.
        logger.debug("renewed %d leases", len(kept))

    async def _sweep_mails(self) -> None:
        await sweep_outbox(_MAILS_A_SWEEP)

    async def _drop_archives(self) -> None:
        await drop_expired_archives()

    async def _forget_deliveries(self) -> None:
        await forget_old_deliveries(self._platform)

    async def _forward_feedback(self) -> None:
        await forward_feedback(self._platform)

    async def _close_left_runs(self) -> None:
        await close_left_runs(self._platform, self._recorder, self._running, self._operators.tasks())

    async def _start_servers(self) -> None:
        while True:
            booking_id = await self._platform.servers_to_start.get()
            try:
                await start_server(booking_id)
            except Exception as error:
                # The student's log-in starts it then.
                logger.warning("server of booking %d was not started ahead: %s", booking_id, summary(error))

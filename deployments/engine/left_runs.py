"""Runs that an engine left open, because it was killed or cut off from Prefect before it could close them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Crashed

from deployments.engine.recorder import ENGINE_GONE, Recorder, engine_of, for_each_run
from deployments.engine.registry import FLOW_OF
from models.errors import Refused
from models.rules.booking import BookingState, Work, due_work
from models.store.engines import living_engines
from models.tables import Booking, utc_now
from tasks.running_platform import Platform

_DONE = {
    FLOW_OF[Work.REMIND]: {BookingState.EXPIRING, BookingState.ENDING, BookingState.ENDED},
    FLOW_OF[Work.END]: {BookingState.ENDED},
    FLOW_OF[Work.ABANDON]: {BookingState.FAILED},
}


async def close_left_runs(
    platform: Platform, recorder: Recorder, bookings: Collection[int], runs: Collection[UUID]
) -> None:
    """Close the runs that nobody works on and whose work will not be begun again.

    `bookings` are what this engine works on, and `runs` those about no booking. A run younger than a lease is left
    alone: its engine may have given the booking's lease back, and still be sending the mails.
    """
    now = utc_now()
    lease = timedelta(seconds=platform.settings.lease_seconds)
    left = await recorder.open_before(now - lease)
    if not left:
        return
    async with platform.database.transaction() as session:
        others = {each.owner for each in await living_engines(session, now)} - {platform.owner}
    flow_names = {run.id: flow_name for flow_name, run in left}

    async def close_if_left(run: FlowRun) -> None:
        booking_id = run.parameters.get("booking_id")
        state: State[Any] | None = None
        if booking_id is None and run.id not in runs:
            state = end_of_other_run(engine_of(run), others)
        elif booking_id is not None and booking_id not in bookings:
            state = await _end_of_booking_run(platform, flow_names[run.id], booking_id, now)
        if state is not None:
            await recorder.close(run.id, state)

    await for_each_run([run for _, run in left], close_if_left)


async def _end_of_booking_run(
    platform: Platform, flow_name: str, booking_id: int, now: datetime
) -> State[Any] | None:
    try:
        return end_of_run(flow_name, (await platform.details(booking_id)).booking, now)
    except Refused as unknown:  # a database that was restored from a backup knows fewer bookings
        return Crashed(message=unknown.message)


def end_of_other_run(engine: str, living: Collection[str]) -> State[Any] | None:
    """Return the state in which to close a run about no booking that `engine` claimed, None while that lives."""
    return None if engine in living else Crashed(message=f"{ENGINE_GONE} Run it again: what is done stays done.")


def end_of_run(flow_name: str, booking: Booking, now: datetime) -> State[Any] | None:
    """Return the state in which to close a run that was left open, None while its work may go on."""
    is_held = booking.lease_until is not None and booking.lease_until >= now
    booking_state = BookingState(booking.state)
    work = due_work(booking_state, booking.ends_at, now)
    if is_held or (work and FLOW_OF[work] == flow_name):
        return None
    is_served = flow_name == FLOW_OF[Work.SERVE] and booking.ready_at is not None
    if is_served or booking_state in _DONE.get(flow_name, ()):
        return Completed(message="Finished by an engine that could not say so.")
    return Crashed(message=ENGINE_GONE)

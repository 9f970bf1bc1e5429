"""From the end of a session to a free seat."""

from __future__ import annotations

from prefect import flow

from tasks.ending import begin_ending, collect_work, lock_account, reset_seat
from tasks.outbox import send_mails


@flow(name="end-booking", validate_parameters=False)
async def end_booking(booking_id: int) -> None:
    """End a session now: lock out, measure and archive, wipe, thank."""
    await begin_ending(booking_id)
    await lock_account(booking_id)
    await collect_work(booking_id)
    await reset_seat(booking_id)
    await send_mails(booking_id)

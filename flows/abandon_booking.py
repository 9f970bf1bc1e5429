"""After preparing failed for good."""

from __future__ import annotations

from prefect import flow

from tasks.ending import lock_account, reset_seat
from tasks.outbox import send_mails


@flow(name="abandon-booking", validate_parameters=False)
async def abandon_booking(booking_id: int) -> None:
    """Free the seat of a booking that could not be prepared, and apologise."""
    await lock_account(booking_id)
    await reset_seat(booking_id)
    await send_mails(booking_id)

"""The warning before a session ends."""

from __future__ import annotations

from prefect import flow

from tasks.ending import begin_expiring
from tasks.outbox import send_mails


@flow(name="remind-booking", validate_parameters=False)
async def remind_booking(booking_id: int) -> None:
    """Tell a student that the session is about to end."""
    await begin_expiring(booking_id)
    await send_mails(booking_id)

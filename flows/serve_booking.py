"""From a reservation to a student at work."""

from __future__ import annotations

import asyncio

from prefect import flow

from tasks.outbox import send_mails
from tasks.preparing import begin_preparing, generate_notebooks, open_account


@flow(name="serve-booking", validate_parameters=False)
async def serve_booking(booking_id: int) -> None:
    """Prepare a reserved seat and mail its credentials."""
    await begin_preparing(booking_id)
    await asyncio.gather(send_mails(booking_id), prepare_seat(booking_id))
    await send_mails(booking_id)


async def prepare_seat(booking_id: int) -> None:
    """Make the seat ready; the welcome mail is on its way meanwhile, and holds nothing up."""
    await generate_notebooks(booking_id)
    await open_account(booking_id)

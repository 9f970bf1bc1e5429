"""How far an open session is, for the student who wants to know: nice to have, and never in the way."""

from __future__ import annotations

import logging

from models.errors import WodError
from models.store.measures import claim_measure, record_measure
from models.tables import utc_now
from tasks.running_platform import current_platform
from tasks.seats import measure_seat

logger = logging.getLogger(__name__)

# The longest time that one look may take, in seconds; the students after it wait for it.
_LOOK_SECONDS = 15.0


async def measure_next() -> bool:
    """Measure the session whose student has waited longest; tell whether there was one."""
    platform = current_platform()
    async with platform.database.transaction() as session:
        booking_id = await claim_measure(session, utc_now())
    if booking_id is None:
        return False
    booking = await platform.details(booking_id)
    try:
        work = await measure_seat(
            platform.machine(booking.backend),
            platform.place(booking),
            booking.workshop.key,
            timeout_seconds=min(_LOOK_SECONDS, platform.settings.step_timeout_seconds),
        )
    except WodError as error:
        logger.info("booking %d was not measured: %s (%s)", booking_id, error.message, error.reason)
        return True
    async with platform.database.transaction() as session:
        await record_measure(
            session, booking_id, booking.booking.seat_generation, work.cells_executed, work.cells_total
        )
    return True

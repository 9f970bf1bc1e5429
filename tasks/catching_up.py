"""Going on with a database that is behind its machines, restored from a backup older than their records."""

from __future__ import annotations

from datetime import timedelta

from models.errors import Stale
from models.store.work import raise_generation, renew_leases
from models.tables import utc_now
from tasks.running_platform import current_platform


async def catch_up(booking_id: int, machine_generation: int) -> None:
    """Let the work on a booking begin anew, above the generation that its machine serves.

    Whoever was let in since the backup is not in the database any more: their log-ins at the hub end here,
    and the machine wipes their seat without keeping their work.

    Raises:
        Stale: the lease has passed to somebody else; nothing was changed.
        StepFailed: the hub can't end the log-ins.

    """
    platform = current_platform()
    timeout = platform.settings.step_timeout_seconds
    lease_until = utc_now() + timedelta(seconds=platform.settings.lease_seconds)
    async with platform.database.transaction() as session:
        kept = await renew_leases(session, platform.owner, lease_until, [booking_id])
    if booking_id not in kept:
        raise Stale("Another engine works on this booking.", reason="lease_lost")
    booking = await platform.details(booking_id)
    await platform.hub(booking.backend).delete_user(booking.seat.account, timeout)
    async with platform.database.transaction() as session:
        await raise_generation(session, booking_id, platform.owner, machine_generation, utc_now())

"""How far open sessions are, in SQL: who wants to know, and what was found."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.rules.booking import OPEN_STATES
from models.store.database import MEASURES, WORK_CHANNEL
from models.store.predicates import is_unfinished
from models.tables import Booking

# How fresh a measurement is good enough for somebody who watches it.
MEASURED_AGAIN_AFTER = timedelta(seconds=30)

_OPEN = [state.value for state in OPEN_STATES]


async def wish_measure(session: AsyncSession, email_key: str, now: datetime) -> None:
    """Have the engines measure how far an address's open session is, unless they did or were asked just now."""
    since = now - MEASURED_AGAIN_AFTER
    wished = await session.execute(
        update(Booking)
        .where(
            col(Booking.email_key) == email_key,
            col(Booking.state).in_(_OPEN),
            or_(col(Booking.measure_wanted_at).is_(None), col(Booking.measure_wanted_at) < since),
            or_(col(Booking.measured_at).is_(None), col(Booking.measured_at) < since),
        )
        .values(measure_wanted_at=now)
        .returning(col(Booking.id))
    )
    if wished.first() is not None:
        await session.execute(text(f"NOTIFY {WORK_CHANNEL}, '{MEASURES}'"))


async def claim_measure(session: AsyncSession, now: datetime) -> int | None:
    """Return the id of the open booking that is to be measured first, None when nobody wants to know.

    It counts as measured from now on: what comes of it is nice to have, and is wished for again.
    """
    wanted = (
        select(col(Booking.id))
        .where(
            # The second condition is what the index of unfinished bookings is for.
            col(Booking.state).in_(_OPEN),
            is_unfinished(),
            or_(col(Booking.measured_at).is_(None), col(Booking.measured_at) < col(Booking.measure_wanted_at)),
            col(Booking.measure_wanted_at).is_not(None),
        )
        .order_by(col(Booking.measure_wanted_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    claimed = await session.execute(
        update(Booking)
        .where(col(Booking.id).in_(wanted))
        .values(measured_at=now)
        .returning(col(Booking.id))
        .execution_options(synchronize_session=False)
    )
    booking_id: int | None = claimed.scalar()
    return booking_id


async def record_measure(
    session: AsyncSession, booking_id: int, generation: int, executed: int, total: int
) -> None:
    """Write down how far a session is; one that is open no more was measured for good."""
    await session.execute(
        update(Booking)
        .where(
            col(Booking.id) == booking_id,
            col(Booking.seat_generation) == generation,
            col(Booking.state).in_(_OPEN),
        )
        .values(cells_executed=executed, cells_total=total)
    )

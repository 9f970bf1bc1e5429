"""How the platform is doing, in SQL: its tables' release, and what waits for an engine. It reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

import models.migrations
from models.store.predicates import is_unfinished
from models.tables import Booking, Mail

# What a transaction raises while PostgreSQL is away, restarts, or has no connection left.
DATABASE_AWAY: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeoutError)

# What it raises when the database was never migrated.
TABLES_MISSING: type[Exception] = ProgrammingError


@dataclass(frozen=True)
class Backlog:
    """How long the oldest due booking has waited for an engine, and the oldest promised mail for its sending.

    In seconds; 0 when nothing waits.
    """

    booking_seconds: float
    mail_seconds: float


async def revision(session: AsyncSession) -> str:
    """Return the migration that the database is at."""
    return str(await session.scalar(text("SELECT version_num FROM alembic_version")))


def newest_revision() -> str:
    """Return the migration that this release needs: the highest number among the files.

    Alembic knows it as well, but costs 15 MB, which every API process would hold for this one word.
    """
    files = (Path(models.migrations.__file__).parent / "versions").glob("[0-9]*_*.py")
    return max(path.stem.partition("_")[0] for path in files)


async def backlog(session: AsyncSession, now: datetime) -> Backlog:
    """Return what waits: due bookings that no engine is at, and mails until they are sent or given up."""
    due_since = await session.scalar(
        select(func.min(Booking.due_at)).where(
            is_unfinished(),
            col(Booking.due_at) <= now,
            or_(col(Booking.lease_until).is_(None), col(Booking.lease_until) < now),
        )
    )
    promised_since = await session.scalar(
        select(func.min(Mail.created_at)).where(col(Mail.sent_at).is_(None), col(Mail.given_up_at).is_(None))
    )
    return Backlog(_seconds(due_since, now), _seconds(promised_since, now))


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0

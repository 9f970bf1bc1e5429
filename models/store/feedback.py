"""Feedback in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import Feedback


def keep_feedback(session: AsyncSession, email: str, message: str) -> None:
    """Keep what somebody wanted to say."""
    session.add(Feedback(email=email, message=message))


async def lock_unmailed_feedback(session: AsyncSession, after_id: int) -> Feedback | None:
    """Return the oldest feedback after `after_id` that waits to be mailed, locked; skip what others lock."""
    found: Feedback | None = await session.scalar(
        select(Feedback)
        .where(col(Feedback.mailed_at).is_(None), col(Feedback.id) > after_id)
        .order_by(col(Feedback.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return found


async def newest_feedback(session: AsyncSession, limit: int) -> Sequence[Feedback]:
    """Return the newest feedback, oldest first."""
    rows = await session.scalars(select(Feedback).order_by(col(Feedback.id).desc()).limit(limit))
    return list(reversed(rows.all()))

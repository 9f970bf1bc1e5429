"""Engines in SQL: that they live, and whether they see Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.tables import EngineBeat

BEAT_SECONDS = 15.0

# Three beats may be missed: a machine under load is no dead one.
_ALIVE_FOR = timedelta(seconds=3 * BEAT_SECONDS + 5)
_REMEMBERED_FOR = timedelta(hours=1)


async def beat(session: AsyncSession, owner: str, now: datetime, *, sees_prefect: bool) -> None:
    """Note that an engine lives, and forget those that ended without a word."""
    seen = {"seen_at": now, "sees_prefect": sees_prefect}
    await session.execute(
        insert(EngineBeat).values(owner=owner, **seen).on_conflict_do_update(index_elements=["owner"], set_=seen)
    )
    await session.execute(delete(EngineBeat).where(col(EngineBeat.seen_at) < now - _REMEMBERED_FOR))


async def end_beat(session: AsyncSession, owner: str) -> None:
    """Note that an engine has stopped."""
    await session.execute(delete(EngineBeat).where(col(EngineBeat.owner) == owner))


async def living_engines(session: AsyncSession, now: datetime) -> Sequence[EngineBeat]:
    """Return the engines that were seen lately."""
    alive = select(EngineBeat).where(col(EngineBeat.seen_at) >= now - _ALIVE_FOR)
    return (await session.scalars(alive)).all()

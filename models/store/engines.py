"""Engines in SQL: that they live, and what they see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.tables import Backend, EngineBeat

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


async def note_hub(session: AsyncSession, number: int, failure: str) -> None:
    """Note why the hub of a backend does not answer, or that it does: an empty text."""
    await session.execute(
        update(Backend)
        .where(col(Backend.number) == number, col(Backend.hub_failure) != failure)
        .values(hub_failure=failure)
    )


async def listed_backends(session: AsyncSession) -> Sequence[Backend]:
    """Return the backends that are listed."""
    return (await session.scalars(select(Backend).where(col(Backend.retired).is_(False)))).all()

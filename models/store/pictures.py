"""The pictures of workshops' introductions in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.store.predicates import is_on_offer
from models.tables import Workshop, WorkshopPicture


@dataclass(frozen=True)
class Picture:
    """A picture as it is served."""

    media_type: str
    content: bytes


async def save_pictures(session: AsyncSession, workshop_key: str, pictures: Mapping[str, Picture]) -> None:
    """Make these, by their names, the pictures of a workshop that is there."""
    workshop_id = await session.scalar(select(col(Workshop.id)).where(col(Workshop.key) == workshop_key))
    if workshop_id is None:
        raise ValueError(f"there is no workshop {workshop_key}")
    own = col(WorkshopPicture.workshop_id) == workshop_id
    there = set(await session.scalars(select(col(WorkshopPicture.name)).where(own)))
    await session.execute(delete(WorkshopPicture).where(own, col(WorkshopPicture.name).in_(there - set(pictures))))
    for name in sorted(set(pictures) - there):
        kept = pictures[name]
        session.add(
            WorkshopPicture(workshop_id=workshop_id, name=name, media_type=kept.media_type, content=kept.content)
        )


async def picture(session: AsyncSession, workshop_key: str, name: str) -> Picture:
    """Return a picture of a workshop that can be booked, or refuse: picture_unknown."""
    rows = await session.execute(
        select(col(WorkshopPicture.media_type), col(WorkshopPicture.content))
        .join(Workshop, col(Workshop.id) == col(WorkshopPicture.workshop_id))
        .where(
            col(Workshop.key) == workshop_key,
            is_on_offer(),
            col(WorkshopPicture.name) == name,
        )
    )
    found = rows.tuples().one_or_none()
    if found is None:
        raise Refused("There is no such picture.", reason="picture_unknown")
    return Picture(*found)

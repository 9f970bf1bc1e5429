"""Routes: workshops that can be booked, and special badges. Both are read here, and written in files."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from models.rules.roles import Right
from models.store.backends import listed_backends
from models.store.catalog import offers
from models.store.database import Database
from ui.api.lasting import Lasting
from ui.api.legacy.answers import Number, answers, compatible_router, said
from ui.api.legacy.gate import needs
from ui.api.legacy.rows import special_badges, workshop_row
from ui.api.legacy.schemas import SpecialBadgeRow, WorkshopRow
from ui.api.parts import DatabaseHere, PopularHere

_UNKNOWN = "Workshop Not Found"

router = compatible_router()


@router.get("/workshops", responses=answers(fails=True))
async def list_offered_workshops(
    database: DatabaseHere,
    popular_ids: PopularHere,
    active: Annotated[bool | None, Query(description="False: none, since only those on offer are shown.")] = None,
) -> list[WorkshopRow]:
    """Return the workshops that can be booked, by priority and title; `capacity` is what is free now."""
    return [] if active is False else await _rows(database, popular_ids)


@router.get("/workshops/categories", responses=answers())
async def list_categories(database: DatabaseHere) -> list[str]:
    """Return the categories of the workshops that can be booked."""
    async with database.transaction() as session:
        found = {name for each in await offers(session) for name in each.workshop.category}
    return sorted(found, key=str.casefold)


@router.get("/workshops/{id}", responses=answers(fails=True, texts={HTTPStatus.BAD_REQUEST: (_UNKNOWN,)}))
async def read_offered_workshop(id: Number, database: DatabaseHere, popular_ids: PopularHere) -> WorkshopRow:  # noqa: A002
    """Return one workshop that can be booked."""
    for row in await _rows(database, popular_ids):
        if row.id == id:
            return row
    raise said(HTTPStatus.BAD_REQUEST, _UNKNOWN)


@router.get("/workshopsBeta", dependencies=[needs(Right.LOOK_AROUND)], responses=answers(right=Right.LOOK_AROUND))
async def list_finished_workshops(database: DatabaseHere, popular_ids: PopularHere) -> list[WorkshopRow]:
    """Return the workshops that can be booked and are not in a beta phase, as their authors say."""
    return [row for row in await _rows(database, popular_ids) if not row.beta]


@router.get("/special-badges", responses=answers())
async def list_special_badges() -> list[SpecialBadgeRow]:
    """Return the badges for those who finish several workshops."""
    return special_badges()


async def _rows(database: Database, popular_ids: Lasting[set[int]]) -> list[WorkshopRow]:
    async with database.transaction() as session:
        found, backends = await offers(session), await listed_backends(session)
        popular = await popular_ids.get(session)
    return [workshop_row(each, backends, popular) for each in found]

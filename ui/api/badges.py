"""Routes: the badges that can be earned, and the proof of one."""

from __future__ import annotations

from fastapi import APIRouter

from models.rules.badges import LADDER, Rung
from models.rules.links import shared_badge, web_address
from models.rules.signed_links import BadgeSort, read_badge
from models.store.badges import badge_named
from models.store.catalog import offers
from models.tables import Workshop
from ui.api.own_schemas import BadgeKind, BadgeProof
from ui.api.parts import DatabaseHere, HoldersHere, SettingsHere, refusals
from ui.api.progress import completion

router = APIRouter(prefix="/api/v1/badges", tags=["badges"])


@router.get("", responses=refusals())
async def list_badges(database: DatabaseHere, known_holders: HoldersHere) -> list[BadgeKind]:
    """Return the badges that can be earned: the special ones, then one for each workshop on offer."""
    async with database.transaction() as session:
        holders = await known_holders.get(session)
        workshops = [found.workshop for found in await offers(session)]
    special = [
        BadgeKind(
            kind=BadgeSort.SPECIAL.value,
            title=rung.title,
            description=_special_words(rung),
            image="",
            workshop="",
            holders=holders.of_rungs.get(rung.workshops, 0),
        )
        for rung in LADDER
    ]
    finished = [
        BadgeKind(
            kind=BadgeSort.WORKSHOP.value,
            title=workshop.title,
            description=_workshop_words(workshop),
            image=web_address(workshop.badge_image, needs_path=True),
            workshop=workshop.key,
            holders=holders.of_workshops.get(workshop.id or 0, 0),
        )
        for workshop in workshops
    ]
    return special + finished


@router.get("/{code}", responses=refusals("badge_unknown", "badge_withdrawn"))
async def prove_badge(code: str, settings: SettingsHere, database: DatabaseHere) -> BadgeProof:
    """Return the badge that a code proves: whose it is, for what, and since when."""
    named = read_badge(settings.secret("link_key"), code)
    async with database.transaction() as session:
        badge = await badge_named(session, named)
    return BadgeProof(
        kind=badge.sort.value,
        title=badge.title,
        description=_special_words(badge.rung) if badge.rung else _workshop_words(badge.workshop),
        holder=badge.booking.name,
        image=badge.picture,
        workshop="" if badge.rung else badge.workshop.key,
        share_url=shared_badge(settings.url("api"), code),
        earned_at=badge.earned_at,
        completion=None if badge.rung else completion(badge.booking),
    )


def _workshop_words(workshop: Workshop) -> str:
    return f"Finished the workshop {workshop.title}."


def _special_words(rung: Rung) -> str:
    return f"Finished {rung.workshops} different workshops."

"""Routes: the workshops on offer, and who offers them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fastapi import APIRouter

from models.rules.colors import readable
from models.rules.links import shared_workshop, web_address
from models.settings import Settings
from models.store.availability import next_free_seats
from models.store.bookings import known_id
from models.store.catalog import Offer, offer, offers
from models.tables import utc_now
from ui.api.parts import DatabaseHere, PopularHere, SettingsHere, refusals
from ui.api.schemas import Brand, Workshop, WorkshopDetails

_NEW_FOR = timedelta(days=30)

# What the catalog's pages are like; see its .streamlit/config.toml.
_LIGHT_PAGE, _DARK_PAGE = "#ffffff", "#14181c"

# Where an introduction shows one of its own pictures, in the text or at its end.
_PICTURE_ADDRESS = re.compile(r"\](?:\(|: )(?=/api/v1/workshops/)")

router = APIRouter(prefix="/api/v1", tags=["workshops"])


@router.get("/workshops", responses=refusals())
async def list_workshops(
    settings: SettingsHere, database: DatabaseHere, popular_ids: PopularHere
) -> list[Workshop]:
    """Return the workshops that can be booked, by priority and title, with the seats that are free now."""
    async with database.transaction() as session:
        found, popular = await offers(session), await popular_ids.get(session)
        free_at = await next_free_seats(session, _full(found), settings.hour_seconds, utc_now())
    return [_workshop(each, popular, free_at, settings) for each in found]


@router.get("/workshops/{key}", responses=refusals("workshop_unknown"))
async def read_workshop(
    key: str, settings: SettingsHere, database: DatabaseHere, popular_ids: PopularHere
) -> WorkshopDetails:
    """Return one workshop that can be booked, with its author's introduction."""
    async with database.transaction() as session:
        found, popular = await offer(session, key), await popular_ids.get(session)
        free_at = await next_free_seats(session, _full([found]), settings.hour_seconds, utc_now())
    readme = _PICTURE_ADDRESS.sub(rf"\g<0>{settings.url('api')}", found.workshop.readme)
    return WorkshopDetails(
        **_workshop(found, popular, free_at, settings).model_dump(),
        readme=readme,
        share_url=shared_workshop(settings.url("api"), key),
    )


@router.get("/brand")
async def read_brand(settings: SettingsHere) -> Brand:
    """Return how the programme presents itself: names, colour and addresses from its settings."""
    return Brand(
        name=settings.brand,
        owner=settings.brand_owner,
        url=web_address(settings.brand_url),
        logo=web_address(settings.brand_logo),
        color=settings.brand_color,
        link_color=readable(settings.brand_color, _LIGHT_PAGE),
        dark_link_color=readable(settings.brand_color, _DARK_PAGE),
        chat_url=web_address(settings.brand_chat_url),
        terms_url=web_address(settings.terms_url),
        archive_days=settings.archive_days,
        offer_hours=settings.offer_hours,
    )


def _full(found: Sequence[Offer]) -> list[int]:
    return [known_id(each.workshop.id) for each in found if not each.free_seats]


def _workshop(found: Offer, popular: set[int], free_at: Mapping[int, datetime], settings: Settings) -> Workshop:
    workshop = found.workshop
    return Workshop(
        key=workshop.key,
        title=workshop.title,
        description=workshop.description,
        duration_hours=workshop.duration_hours,
        category=workshop.category,
        session_type=workshop.session_type,
        presenter=workshop.presenter,
        presenter_role=workshop.presenter_role,
        avatar=web_address(workshop.avatar, needs_path=True),
        image=web_address(workshop.image, needs_path=True),
        badge_image=web_address(workshop.badge_image, needs_path=True),
        replay_link=web_address(workshop.replay_link, needs_path=True),
        capacity=workshop.capacity,
        free_seats=found.free_seats,
        next_free_at=free_at.get(known_id(workshop.id)),
        waiting=found.waiting,
        can_wait=found.waiting < settings.waiting_limit,
        kind="challenge" if "challenge" in workshop.session_type.casefold() else "workshop",
        is_popular=workshop.id in popular,
        is_new=utc_now() - workshop.created_at < _NEW_FOR,
        created_at=workshop.created_at,
        updated_at=workshop.updated_at,
    )

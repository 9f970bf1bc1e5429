"""Offering free seats to those who wait in lines, and ending offers that were not taken."""

from __future__ import annotations

import logging
from datetime import timedelta

from models.settings import Settings
from models.store.reservations import until_seated
from models.store.seat_offers import expire_offers, next_in_line, offer_seat
from models.tables import utc_now
from tasks.running_platform import Platform, current_platform

logger = logging.getLogger(__name__)

# How many times as long as others an offer may last whose mail the mail server doesn't take.
_LONGEST_OFFER = 4


def offer_time(settings: Settings) -> timedelta:
    """Return how long an offer lasts from when its mail goes out."""
    return timedelta(seconds=settings.offer_hours * settings.hour_seconds)


def longest_offer(settings: Settings) -> timedelta:
    """Return how long an offer may last from when it was made, whatever the mail server does."""
    return _LONGEST_OFFER * offer_time(settings)


async def attend_lines() -> None:
    """End the offers whose time is over, then offer what is free.

    Each offer is a transaction with its mail, so that any number of engines may do this, and be killed.
    """
    platform = current_platform()
    async with platform.database.transaction() as session:
        expired = await expire_offers(session, utc_now(), longest_offer(platform.settings))
    if expired:
        logger.info("%d offers were not taken in time", expired)
    full: set[int] = set()
    while (workshop_id := await _next_workshop(platform, full)) is not None:
        entry_id = await _offer_seat(platform, workshop_id)
        if entry_id is None:
            full.add(workshop_id)
        else:
            logger.info("a seat of workshop %d is offered to place %d in its line", workshop_id, entry_id)


async def _next_workshop(platform: Platform, passed_over: set[int]) -> int | None:
    async with platform.database.transaction() as session:
        return await next_in_line(session, passed_over)


async def _offer_seat(platform: Platform, workshop_id: int) -> int | None:
    now = utc_now()
    until = now + offer_time(platform.settings)
    return await until_seated(platform.database, lambda session: offer_seat(session, workshop_id, now, until))

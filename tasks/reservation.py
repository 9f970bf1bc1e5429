"""Booking a workshop for a student, or waiting for it: check what was asked for, then take a seat or a place."""

from __future__ import annotations

from models.rules.addresses import check_address
from models.rules.people import check_company, check_name
from models.settings import Settings
from models.store.database import Database
from models.store.partners import PartnerWish, reserve_for_partner
from models.store.reservations import Reservation, reserve, until_seated
from models.store.seat_offers import take_offer
from models.store.waiting import join_line
from models.tables import Booking, WaitingEntry, utc_now


async def reserve_seat(
    database: Database, settings: Settings, *, workshop_key: str, email: str, name: str, company: str = ""
) -> Booking:
    """Take a seat of a workshop for a student; the engines are told.

    Raises:
        Refused: as check_address, check_name, check_company and reserve do. Nothing has changed then.
        StepFailed: seats_contended.

    """
    reservation = _checked(settings, workshop_key, email, name, company)
    return await until_seated(
        database, lambda session: reserve(session, reservation, utc_now(), hour_seconds=settings.hour_seconds)
    )


async def reserve_partners_seat(
    database: Database,
    settings: Settings,
    wish: PartnerWish,
    *,
    workshop_key: str,
    email: str,
    name: str,
    company: str = "",
) -> tuple[Booking, bool]:
    """Take a seat for a student as a partner's program wishes; the second value: it was made before.

    Raises:
        Refused: as check_address, check_name, check_company and reserve_for_partner do. Nothing has changed then.
        StepFailed: seats_contended.

    """
    reservation = _checked(settings, workshop_key, email, name, company)
    return await until_seated(
        database,
        lambda session: reserve_for_partner(
            session, reservation, wish, utc_now(), hour_seconds=settings.hour_seconds
        ),
    )


async def join_waiting(
    database: Database, settings: Settings, *, workshop_key: str, email: str, name: str, company: str = ""
) -> WaitingEntry:
    """Put a student at the end of a workshop's line; the engines are told.

    Raises:
        Refused: as check_address, check_name, check_company and join_line do. Nothing has changed then.
        StepFailed: seats_contended.

    """
    wish = _checked(settings, workshop_key, email, name, company)
    return await until_seated(
        database,
        lambda session: join_line(
            session, wish, utc_now(), limit=settings.waiting_limit, hour_seconds=settings.hour_seconds
        ),
    )


async def take_offered_seat(database: Database, settings: Settings, reference: str) -> Booking:
    """Book the seat that is offered to a place in a line; the engines are told.

    Raises:
        Refused: as models.store.seat_offers.take_offer does. Nothing has changed then.
        StepFailed: seats_contended.

    """
    return await until_seated(
        database,
        lambda session: take_offer(session, reference, utc_now(), hour_seconds=settings.hour_seconds),
    )


def _checked(settings: Settings, workshop_key: str, email: str, name: str, company: str) -> Reservation:
    address = check_address(email, settings.denied_email_domains)
    return Reservation(
        workshop_key=workshop_key,
        email=address.address,
        email_key=address.key,
        name=check_name(name),
        company=check_company(company),
    )

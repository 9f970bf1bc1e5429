"""Booking a workshop for a student: check what was asked for, then take a seat."""

from __future__ import annotations

from models.errors import StepFailed
from models.rules.addresses import check_address
from models.rules.people import check_company, check_name
from models.settings import Settings
from models.store.database import Database
from models.store.reservations import Reservation, SeatTaken, reserve
from models.tables import Booking, utc_now

# Each round that loses a seat to another workshop's booking sees one seat fewer; more rounds than this mean
# that something else is wrong.
_ROUNDS = 20


async def reserve_seat(
    database: Database, settings: Settings, *, workshop_key: str, email: str, name: str, company: str = ""
) -> Booking:
    """Take a seat of a workshop for a student; the engines are told.

    Raises:
        Refused: as check_address, check_name, check_company and reserve do. Nothing has changed then.
        StepFailed: seats_contended.

    """
    address = check_address(email, settings.denied_email_domains)
    reservation = Reservation(
        workshop_key=workshop_key,
        email=address.address,
        email_key=address.key,
        name=check_name(name),
        company=check_company(company),
    )
    for _ in range(_ROUNDS):
        try:
            async with database.transaction() as session:
                return await reserve(session, reservation, utc_now(), hour_seconds=settings.hour_seconds)
        except SeatTaken:
            continue
    raise StepFailed("Too many people are booking at this moment. Please try again.", reason="seats_contended")

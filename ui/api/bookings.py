"""Routes: book, follow a booking, end it, fetch the work."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Response
from fastapi.responses import FileResponse

from models.errors import Refused
from models.settings import Settings
from models.store.bookings import details_by_reference, leave, unknown_booking
from models.store.story import story
from models.tables import Booking, utc_now
from tasks.reservation import reserve_seat
from ui.api.parts import DatabaseHere, SettingsHere, checked_reference, refusals
from ui.api.progress import booking_created, booking_status
from ui.api.schemas import BookingCreated, BookingRequest, BookingStatus
from ui.api.wishes import CheckedRoute, refuse_wrong_fields

router = APIRouter(prefix="/api/v1", tags=["bookings"], route_class=CheckedRoute)


@router.post(
    "/bookings",
    status_code=HTTPStatus.CREATED,
    responses=refusals(
        "workshop_unknown",
        "already_booked",
        "workshop_full",
        "workshop_inactive",
        "input_wrong",
        "request_malformed",
        "request_too_large",
        "seats_contended",
    ),
)
async def book(
    wish: Annotated[BookingRequest, Body()], response: Response, settings: SettingsHere, database: DatabaseHere
) -> BookingCreated:
    """Take a seat of a workshop for a student, and begin to make it ready.

    Two mails follow: a welcome at once, and the password when the seat is ready, seconds later. The clock
    starts then. An address has one booking at a time. The answer holds the booking's reference, a secret
    with which it can be followed and ended.
    """
    refuse_wrong_fields(wish.model_dump(), settings)
    booking = await reserve_seat(
        database, settings, workshop_key=wish.workshop, email=wish.email, name=wish.name, company=wish.company
    )
    created = booking_created(booking, wish.workshop, settings)
    response.headers["Location"] = created.status_url
    return created


@router.get("/bookings/{reference}", responses=refusals("booking_unknown"))
async def follow(reference: str, settings: SettingsHere, database: DatabaseHere) -> BookingStatus:
    """Return where a booking is: the steps taken, the way in when it is ready, the time that is left."""
    async with database.transaction() as session:
        found = await story(session, checked_reference(reference, unknown_booking))
    return booking_status(found, settings, utc_now())


@router.delete("/bookings/{reference}", responses=refusals("booking_unknown"))
async def end(reference: str, settings: SettingsHere, database: DatabaseHere) -> BookingStatus:
    """End a booking: the password stops working at once, the work is kept for a while, the seat is freed.

    A booking that is being ended, or has ended, stays as it is.
    """
    async with database.transaction() as session:
        await leave(session, checked_reference(reference, unknown_booking), utc_now())
        found = await story(session, reference)
    return booking_status(found, settings, utc_now())


@router.get(
    "/bookings/{reference}/work",
    response_class=FileResponse,
    responses=refusals("booking_unknown", "work_missing", "work_expired")
    | {200: {"description": "The student's files.", "content": {"application/zip": {}}}},
)
async def fetch_work(reference: str, settings: SettingsHere, database: DatabaseHere) -> FileResponse:
    """Return a zip of what the student did, from the end of the session for as long as it is kept."""
    async with database.transaction() as session:
        found = await details_by_reference(session, checked_reference(reference, unknown_booking))
    path = _kept_work(found.booking, settings)
    return FileResponse(path, media_type="application/zip", filename=f"{found.workshop.key}.zip")


def _kept_work(booking: Booking, settings: Settings) -> Path:
    path = settings.state_dir / "archives" / f"{booking.id}.zip"
    if booking.archive_until is not None and booking.archive_until <= utc_now():
        raise Refused(
            f"This work was kept for {settings.archive_days:g} days after the session, then deleted.",
            reason="work_expired",
        )
    if booking.archive_until is None or not path.is_file():
        raise Refused(
            "There is no work to fetch. It is kept when a session ends; please look again then.",
            reason="work_missing",
        )
    return path

"""Routes: wait for a seat of a workshop that is full, and take the one that is offered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Response

from models.rules.waiting import IN_LINE, WaitingState
from models.settings import Settings
from models.store.bookings import known_id
from models.store.waiting import Place, leave_line, place, place_by_id, unknown_place
from models.tables import utc_now
from tasks.reservation import join_waiting, take_offered_seat
from ui.api.own_schemas import WaitingPlace, WaitingRequest
from ui.api.parts import DatabaseHere, SettingsHere, checked_reference, refusals
from ui.api.progress import booking_created, email_hint
from ui.api.schemas import BookingCreated
from ui.api.wishes import CheckedRoute, refuse_wrong_fields

# How often a page asks again, in seconds, and at least how often while an offer lasts.
_POLL_MOST, _POLLS_AN_OFFER = 15.0, 20

router = APIRouter(prefix="/api/v1", tags=["waiting"], route_class=CheckedRoute)


@router.post(
    "/workshops/{key}/waiting",
    status_code=HTTPStatus.CREATED,
    responses=refusals(
        "workshop_unknown",
        "workshop_inactive",
        "seats_free",
        "already_booked",
        "already_waiting",
        "line_full",
        "input_wrong",
        "request_malformed",
        "request_too_large",
        "seats_contended",
    ),
)
async def wait(
    key: str, wish: Annotated[WaitingRequest, Body()], settings: SettingsHere, database: DatabaseHere
) -> WaitingPlace:
    """Get in line for a workshop that is full. The next free seat is offered by mail, and kept for a while.

    An address can wait for several workshops, and once for each. The answer holds the place's reference, a
    secret with which it can be followed, left, and the offer taken.
    """
    refuse_wrong_fields(wish.model_dump(), settings)
    entry = await join_waiting(
        database, settings, workshop_key=key, email=wish.email, name=wish.name, company=wish.company
    )
    now = utc_now()
    async with database.transaction() as session:
        found = await place_by_id(session, known_id(entry.id), settings.hour_seconds, now)
    return waiting_place(found, settings)


@router.get("/waiting/{reference}", responses=refusals("place_unknown"))
async def follow_place(reference: str, settings: SettingsHere, database: DatabaseHere) -> WaitingPlace:
    """Return where somebody who waits is in the line, and whether a seat is offered."""
    now = utc_now()
    async with database.transaction() as session:
        found = await place(session, checked_reference(reference, unknown_place), settings.hour_seconds, now)
    return waiting_place(found, settings)


@router.delete("/waiting/{reference}", responses=refusals("place_unknown"))
async def leave_place(reference: str, settings: SettingsHere, database: DatabaseHere) -> WaitingPlace:
    """Give up a place in the line, or an offer; what is over stays as it is."""
    now = utc_now()
    async with database.transaction() as session:
        await leave_line(session, checked_reference(reference, unknown_place), now)
        found = await place(session, reference, settings.hour_seconds, now)
    return waiting_place(found, settings)


@router.post(
    "/waiting/{reference}/booking",
    status_code=HTTPStatus.CREATED,
    responses=refusals(
        "place_unknown",
        "workshop_unknown",
        "workshop_inactive",
        "workshop_full",
        "already_booked",
        "offer_missing",
        "offer_expired",
        "seats_contended",
    ),
)
async def take(
    reference: str, response: Response, settings: SettingsHere, database: DatabaseHere
) -> BookingCreated:
    """Book the seat that is offered; asking again gives the same booking.

    Whoever has another booking at the moment has to end it first. The offer is kept until its end meanwhile.
    """
    booking = await take_offered_seat(database, settings, checked_reference(reference, unknown_place))
    async with database.transaction() as session:
        found = await place(session, reference, settings.hour_seconds, utc_now())
    created = booking_created(booking, found.workshop.key, settings)
    response.headers["Location"] = created.status_url
    return created


def waiting_place(found: Place, settings: Settings) -> WaitingPlace:
    """Return a place in a line as its student sees it."""
    entry, workshop = found.entry, found.workshop
    state = WaitingState(entry.state)
    offer_seconds = settings.offer_hours * settings.hour_seconds
    return WaitingPlace.model_validate(
        {
            "reference": entry.reference,
            "state": state.value,
            "workshop": workshop.key,
            "workshop_title": workshop.title,
            "duration_hours": workshop.duration_hours,
            "email_hint": email_hint(entry.email),
            "position": found.position,
            "next_free_at": found.next_free_at,
            "created_at": entry.created_at,
            "offer_until": entry.offer_until,
            "booking": found.booking,
            "poll_seconds": min(_POLL_MOST, max(1.0, offer_seconds / _POLLS_AN_OFFER))
            if state in IN_LINE
            else None,
        }
    )

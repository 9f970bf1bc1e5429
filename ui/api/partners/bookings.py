"""Routes: bookings that partners' programs make for their users."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import AwareDatetime

from models.rules.booking import BookingState
from models.rules.links import booking_page
from models.settings import Settings
from models.store.bookings import known_id, leave, unknown_booking
from models.store.partners import PartnersBooking, PartnerWish, partners_booking, partners_bookings
from models.tables import utc_now
from tasks.reservation import reserve_partners_seat
from ui.api import schemas
from ui.api.partner_schemas import PartnerBooking, PartnerBookingPage, PartnerBookingRequest
from ui.api.partners.access import BookingsReader, BookingsWriter, partner_answers
from ui.api.parts import REFERENCE, DatabaseHere, SettingsHere, checked_reference
from ui.api.progress import completion, status_url
from ui.api.wishes import CheckedRoute, refuse_wrong_fields

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Names this wish, so that repeating it does not book twice; remembered for 48 hours.",
        pattern="^[!-~]{1,255}$",
        examples=["5fb1b7c6-6e4a-4a39-9f9c-0d2f1b8d3a52"],
    ),
]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.", pattern=REFERENCE)]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]

router = APIRouter(prefix="/api/v1/partner", tags=["partners"], route_class=CheckedRoute)


@router.post(
    "/bookings",
    status_code=HTTPStatus.CREATED,
    responses=partner_answers(
        HTTPStatus.CREATED,
        "workshop_unknown",
        "already_booked",
        "workshop_full",
        "workshop_inactive",
        "too_many_bookings",
        "input_wrong",
        "idempotency_key_reused",
        "request_malformed",
        "request_too_large",
        "seats_contended",
    ),
)
async def book_for_user(
    wish: Annotated[PartnerBookingRequest, Body()],
    response: Response,
    partner: BookingsWriter,
    settings: SettingsHere,
    database: DatabaseHere,
    idempotency_key: IdempotencyKey = None,
) -> PartnerBooking:
    """Book a workshop for one of your users, who gets the mails and accepts the terms.

    Send an Idempotency-Key with each booking. The same request with the same key again is answered as the first
    one was, with the header Idempotency-Replayed, and books nothing; refusals are not remembered.
    """
    refuse_wrong_fields(wish.model_dump(), settings)
    # As it was sent: what a later release adds to a wish changes none that is repeated.
    sent = json.dumps(wish.model_dump(exclude_unset=True), sort_keys=True)
    booking, is_repeated = await reserve_partners_seat(
        database,
        settings,
        PartnerWish(
            api_key_id=known_id(partner.id),
            partner_user=wish.partner_user.strip(),
            return_url=wish.return_url,
            idempotency_key=idempotency_key or "",
            request_digest=hashlib.sha256(sent.encode()).hexdigest(),
        ),
        workshop_key=wish.workshop,
        email=wish.email,
        name=wish.name,
        company=wish.company,
    )
    async with database.transaction() as session:
        found = await partners_booking(session, known_id(partner.id), booking.reference)
    if is_repeated:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"{settings.url('api')}/api/v1/partner/bookings/{booking.reference}"
    as_first = {"state": "reserved", "ready_at": None, "ends_at": None, "finished_at": None, "completion": None}
    return _shown(found, settings).model_copy(update=as_first)


@router.get("/bookings", responses=partner_answers(HTTPStatus.OK, "input_wrong", "cursor_unknown"))
async def list_bookings(
    partner: BookingsReader,
    settings: SettingsHere,
    database: DatabaseHere,
    cursor: Cursor = None,
    limit: Limit = 50,
    state: Annotated[schemas.BookingState | None, Query(description="Only those in this state.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only those made since then.")] = None,
) -> PartnerBookingPage:
    """Return the bookings that were made with your key, newest first, a page at a time."""
    async with database.transaction() as session:
        found = await partners_bookings(
            session,
            known_id(partner.id),
            after=cursor or "",
            state=BookingState(state) if state else None,
            since=since,
            limit=limit + 1,
        )
    shown = [_shown(each, settings) for each in found[:limit]]
    return PartnerBookingPage(bookings=shown, next_cursor=shown[-1].reference if len(found) > limit else None)


@router.get("/bookings/{reference}", responses=partner_answers(HTTPStatus.OK, "booking_unknown"))
async def read_booking(
    reference: str, partner: BookingsReader, settings: SettingsHere, database: DatabaseHere
) -> PartnerBooking:
    """Return one of your bookings."""
    async with database.transaction() as session:
        named = checked_reference(reference, unknown_booking)
        return _shown(await partners_booking(session, known_id(partner.id), named), settings)


@router.delete("/bookings/{reference}", responses=partner_answers(HTTPStatus.OK, "booking_unknown"))
async def end_booking(
    reference: str, partner: BookingsWriter, settings: SettingsHere, database: DatabaseHere
) -> PartnerBooking:
    """End one of your bookings: the password stops working at once. One that is over stays as it is."""
    key_id = known_id(partner.id)
    async with database.transaction() as session:
        await partners_booking(session, key_id, checked_reference(reference, unknown_booking))
        session.expire_all()  # what was read without a lock may have changed
        await leave(session, reference, utc_now())
        return _shown(await partners_booking(session, key_id, reference), settings)


def _shown(found: PartnersBooking, settings: Settings) -> PartnerBooking:
    booking = found.booking
    return PartnerBooking.model_validate(
        {
            "reference": booking.reference,
            "state": booking.state,
            "workshop": found.workshop.key,
            "workshop_title": found.workshop.title,
            "duration_hours": booking.duration_hours,
            "partner_user": found.partner_user,
            "return_url": found.return_url,
            "created_at": booking.created_at,
            "ready_at": booking.ready_at,
            "ends_at": booking.ends_at,
            "finished_at": booking.finished_at,
            "completion": completion(booking),
            "status_url": status_url(booking.reference, settings),
            "page_url": booking_page(settings.url("catalog"), booking.reference),
        }
    )

"""Routes: book, follow a booking, end it, fetch the work."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute

from models.errors import Refused
from models.rules.addresses import check_address
from models.rules.people import check_company, check_name
from models.settings import Settings
from models.store.bookings import details_by_reference, leave, unknown_booking
from models.store.story import story
from models.tables import Booking, utc_now
from tasks.reservation import reserve_seat
from ui.api.errors import InputRefused, field_problems
from ui.api.parts import DatabaseHere, SettingsHere, refusals
from ui.api.progress import booking_created, booking_status
from ui.api.schemas import BookingCreated, BookingRequest, BookingStatus, FieldProblem

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class _CheckedRoute(APIRoute):
    """A route that reports every wrong field at once, those of the wrong type and those the rules refuse."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                found = field_problems(error)
                known = {problem.field for problem in found}
                body = error.body if isinstance(error.body, dict) else {}
                others = _rule_problems(body, request.app.state.settings)
                raise InputRefused(found + [each for each in others if each.field not in known]) from None

        return checked


router = APIRouter(prefix="/api/v1", tags=["bookings"], route_class=_CheckedRoute)


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
    problems = _rule_problems(wish.model_dump(), settings)
    if problems:
        raise InputRefused(problems)
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
        found = await story(session, _checked(reference))
    return booking_status(found, settings, utc_now())


@router.delete("/bookings/{reference}", responses=refusals("booking_unknown"))
async def end(reference: str, settings: SettingsHere, database: DatabaseHere) -> BookingStatus:
    """End a booking: the password stops working at once, the work is kept for a while, the seat is freed.

    A booking that is being ended, or has ended, stays as it is.
    """
    async with database.transaction() as session:
        await leave(session, _checked(reference), utc_now())
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
        found = await details_by_reference(session, _checked(reference))
    path = _kept_work(found.booking, settings)
    return FileResponse(path, media_type="application/zip", filename=f"{found.workshop.key}.zip")


def _checked(reference: str) -> str:
    """Return a reference that could be one; what can't be is answered like one that isn't."""
    if not _REFERENCE.fullmatch(reference):
        raise unknown_booking()
    return reference


def _rule_problems(wish: dict[str, Any], settings: Settings) -> list[FieldProblem]:
    """Return what the rules say against the fields that are text at all."""
    checks: dict[str, Callable[[str], object]] = {
        "workshop": _check_workshop_key,
        "email": lambda text: check_address(text, settings.denied_email_domains),
        "name": check_name,
        "company": check_company,
    }
    problems = []
    for field, check in checks.items():
        value = wish.get(field)
        if not isinstance(value, str):
            continue
        try:
            check(value)
        except Refused as error:
            problems.append(FieldProblem(field=field, reason=error.reason, message=error.message))
    return problems


def _check_workshop_key(key: str) -> None:
    """Refuse what PostgreSQL can't even compare."""
    if _UNPRINTABLE.search(key):
        raise Refused("This is not the key of a workshop.", reason="workshop_malformed")


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

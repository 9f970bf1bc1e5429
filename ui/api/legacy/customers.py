"""Routes: bookings, as the existing system's customers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Body, Query, Response

from models.errors import Refused
from models.rules.addresses import check_address
from models.rules.people import plain_line
from models.rules.roles import Right, may
from models.settings import Settings
from models.store.backends import listed_backends
from models.store.bookings import details, known_id, leave
from models.store.database import Database
from models.store.records import (
    BookingRecord,
    booking_record,
    booking_records,
    key_of_title,
    unfinished_booking_record,
)
from models.tables import utc_now
from tasks.reservation import reserve_seat
from ui.api.legacy.answers import Answered, Number, answers, compatible_router, failed, said
from ui.api.legacy.gate import Visitor, needs
from ui.api.legacy.rows import changes, customer_row, student_id
from ui.api.legacy.schemas import CustomerCreated, CustomerExists, CustomerRequest, CustomerRow
from ui.api.parts import DatabaseHere, SettingsHere
from ui.api.wishes import rule_problems

# Answers are made whole in memory: some 700 bytes a booking.
_MOST_ROWS = 1000

_FULL = "Registration full, capacity exceeded. Please try again later"
_NOWHERE = "No location available for this workshop - contact admin team"
_UNKNOWN = "Customer Not Found"
_PROXY_LIMIT = 100
_readers, _enders = [needs(Right.SEE_BOOKINGS)], [needs(Right.END_BOOKINGS)]
_unknown = {HTTPStatus.BAD_REQUEST: (_UNKNOWN,)}

router = compatible_router()


@router.get("/customers", dependencies=_readers, responses=answers(right=Right.SEE_BOOKINGS, fails=True))
async def list_customers(
    settings: SettingsHere,
    database: DatabaseHere,
    limit: Annotated[int, Query(ge=1, le=_MOST_ROWS, description="How many at the most.")] = _MOST_ROWS,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Only bookings with a lower id: those before a page.")
    ] = None,
) -> list[CustomerRow]:
    """Return the newest bookings, oldest first."""
    async with database.transaction() as session:
        found = await booking_records(session, limit=limit, before=before)
    return [customer_row(each, settings.hour_seconds) for each in found]


@router.get(
    "/customers/{id}",
    dependencies=_readers,
    responses=answers(right=Right.SEE_BOOKINGS, fails=True, texts=_unknown),
)
async def read_customer(id: Number, settings: SettingsHere, database: DatabaseHere) -> CustomerRow:  # noqa: A002
    """Return one booking."""
    return customer_row(await _known(database, id), settings.hour_seconds)


@router.post(
    "/customer",
    responses=answers(
        body=True, texts={HTTPStatus.ACCEPTED: (_FULL, _NOWHERE)}, models={HTTPStatus.ACCEPTED: CustomerExists}
    ),
)
async def book_customer(
    wish: CustomerRequest, visitor: Visitor, settings: SettingsHere, database: DatabaseHere
) -> CustomerCreated:
    """Take a seat of a workshop for a student, whom two mails tell how to go on.

    Whatever keeps the seat from being taken for now is told with the status 202. What is wrong with a request
    is told with 400, an address that can't book here included.
    """
    key = await _checked_workshop(wish, settings, database)
    try:
        booking = await reserve_seat(
            database,
            settings,
            workshop_key=key,
            email=wish.email,
            name=wish.name,
            company=wish.company or "",
        )
    except Refused as error:
        if error.reason == "already_booked":
            is_staff = visitor is not None and may(visitor.roles, Right.SEE_BOOKINGS)
            raise await _exists(wish.email, is_staff=is_staff, settings=settings, database=database) from None
        if error.reason == "workshop_full":
            raise said(HTTPStatus.ACCEPTED, await _why_full(database)) from None
        raise
    async with database.transaction() as session:
        found = await details(session, known_id(booking.id))
    return CustomerCreated(
        id=known_id(booking.id),
        name=booking.name,
        email=booking.email,
        student_id=student_id(found.seat, found.backend),
        proxy=plain_line(wish.proxy or "wod")[:_PROXY_LIMIT],
    )


@router.put(
    "/customer/unregister/{id}",
    dependencies=_enders,
    responses=answers(right=Right.END_BOOKINGS, fails=True, texts=_unknown),
)
async def unregister_customer(id: Number, settings: SettingsHere, database: DatabaseHere) -> CustomerRow:  # noqa: A002
    """End a booking: the password stops working at once, the work is kept for a while, the seat is freed.

    A booking that is being ended, or has ended, stays as it is.
    """
    return await _end(database, settings, await _known(database, id))


@router.put(
    "/customer/{id}",
    dependencies=_enders,
    responses=answers(right=Right.END_BOOKINGS, body=True, texts=_unknown),
)
async def change_customer(
    id: Number,  # noqa: A002
    wish: Annotated[dict[str, Any], Body(examples=[{"active": False}])],
    settings: SettingsHere,
    database: DatabaseHere,
) -> CustomerRow:
    """End a booking with `active: false`; fields may be sent along as they are, and nothing else be changed."""
    record = await _known(database, id)
    wanted = changes(customer_row(record, settings.hour_seconds), wish)
    others = sorted(wanted.keys() - {"active"})
    if others or wanted.get("active", False) is not False:
        names = ", ".join(each.encode(errors="replace").decode()[:50] for each in others or ["active"])
        raise failed(
            HTTPStatus.BAD_REQUEST,
            f"This can't be changed here: {names}. A booking can be ended, with active: false.",
        )
    return await _end(database, settings, record) if wanted else customer_row(record, settings.hour_seconds)


async def _known(database: Database, booking_id: int) -> BookingRecord:
    async with database.transaction() as session:
        record = await booking_record(session, booking_id)
    if record is None:
        raise said(HTTPStatus.BAD_REQUEST, _UNKNOWN)
    return record


async def _end(database: Database, settings: Settings, record: BookingRecord) -> CustomerRow:
    booking = record.found.booking
    async with database.transaction() as session:
        await leave(session, booking.reference, utc_now())
    return customer_row(await _known(database, known_id(booking.id)), settings.hour_seconds)


async def _checked_workshop(wish: CustomerRequest, settings: Settings, database: Database) -> str:
    """Return the key of the workshop that is wished for, or tell all that is wrong."""
    fields = {"workshop": wish.notebook, "email": wish.email, "name": wish.name, "company": wish.company}
    wrong = [each.message for each in rule_problems(fields, settings)]
    if wish.terms_and_conditions is False:
        wrong.append("Please accept the terms and conditions.")
    if wrong:
        raise failed(HTTPStatus.BAD_REQUEST, " ".join(wrong))
    if wish.notebook:
        return wish.notebook
    async with database.transaction() as session:
        key = await key_of_title(session, wish.title or "")
    if key is None:
        unknown = "There is no workshop with this title. GET /api/workshops lists those that can be booked."
        raise failed(HTTPStatus.BAD_REQUEST, unknown)
    return key


async def _exists(email: str, *, is_staff: bool, settings: Settings, database: Database) -> Answered:
    """Return the answer to a student who has a booking; what and which is the student's own business."""
    async with database.transaction() as session:
        record = await unfinished_booking_record(session, check_address(email, ()).key)
    if record is None:  # it has just ended
        return said(HTTPStatus.ACCEPTED, _FULL)
    row = customer_row(record, settings.hour_seconds)
    known = {"id": row.id, "title": row.session_name} if is_staff else {"id": None, "title": None}
    exists = CustomerExists(**known, end_date=row.end_date)
    return Answered(
        Response(exists.model_dump_json(by_alias=True), HTTPStatus.ACCEPTED, media_type="application/json")
    )


async def _why_full(database: Database) -> str:
    async with database.transaction() as session:
        are_ready = [each.ready_at is not None for each in await listed_backends(session)]
    return _FULL if any(are_ready) else _NOWHERE

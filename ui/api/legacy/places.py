"""Routes: seats, as the existing system's students, and backends, as its locations."""

from __future__ import annotations

from http import HTTPStatus

from models.rules.roles import Right
from models.store.backends import listed_backends
from models.store.records import seat_record, seat_records
from ui.api.legacy.answers import Number, answers, compatible_router, said
from ui.api.legacy.gate import needs
from ui.api.legacy.rows import location_row, place_of_student, student_row
from ui.api.legacy.schemas import LocationRow, StudentRow
from ui.api.parts import DatabaseHere

_NO_STUDENT, _NO_LOCATION = "Student Not Found", "Location Not Found"
_readers = [needs(Right.SEE_SEATS)]

router = compatible_router()


@router.get("/students", dependencies=_readers, responses=answers(right=Right.SEE_SEATS))
async def list_students(database: DatabaseHere) -> list[StudentRow]:
    """Return the seats of all backends, by id. Passwords are nowhere but in students' mails."""
    async with database.transaction() as session:
        return [student_row(each) for each in await seat_records(session)]


@router.get(
    "/students/{id}",
    dependencies=_readers,
    responses=answers(right=Right.SEE_SEATS, fails=True, texts={HTTPStatus.BAD_REQUEST: (_NO_STUDENT,)}),
)
async def read_student(id: Number, database: DatabaseHere) -> StudentRow:  # noqa: A002
    """Return one seat."""
    async with database.transaction() as session:
        found = await seat_record(session, *place_of_student(id))
    if found is None:
        raise said(HTTPStatus.BAD_REQUEST, _NO_STUDENT)
    return student_row(found)


@router.get("/locations", responses=answers())
async def list_locations(database: DatabaseHere) -> list[LocationRow]:
    """Return the backends, by number."""
    async with database.transaction() as session:
        return [location_row(each) for each in await listed_backends(session)]


@router.get("/location/{id}", responses=answers(fails=True, texts={HTTPStatus.BAD_REQUEST: (_NO_LOCATION,)}))
async def read_location(id: Number, database: DatabaseHere) -> LocationRow:  # noqa: A002
    """Return one backend."""
    async with database.transaction() as session:
        for each in await listed_backends(session):
            if each.number == id:
                return location_row(each)
    raise said(HTTPStatus.BAD_REQUEST, _NO_LOCATION)

"""Bookings, seats, backends and workshops in the words of the existing system: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from models.door_tables import UserAccount
from models.rules.badges import LADDER
from models.rules.booking import FINAL_STATES, OPEN_STATES, BookingState, session_end
from models.rules.completion import completion_percent
from models.rules.links import web_address
from models.store.bookings import known_id
from models.store.catalog import Offer
from models.store.records import BookingRecord, SeatRecord
from models.tables import Backend, Booking, Seat
from ui.api.legacy.schemas import (
    CustomerRow,
    LastEmailSent,
    LocationRow,
    SpecialBadgeRow,
    StudentRow,
    UserRow,
    WorkshopRow,
)

# Far above the number of seats that a backend can have, so that an id tells the backend and the seat.
SEATS_APART = 10_000

_DEFAULT_PORTS = {"http": 80, "https": 443}

_PROGRESS: dict[BookingState, LastEmailSent | None] = {
    BookingState.RESERVED: None,
    BookingState.PREPARING: "welcome",
    BookingState.READY: "credentials",
    BookingState.EXPIRING: "expiring",
    BookingState.ENDED: "expired",
    BookingState.ABANDONING: "error",
    BookingState.FAILED: "error",
}


def last_email_sent(state: BookingState, *, was_left: bool) -> LastEmailSent | None:
    """Return the word by which the existing system says how far a booking is.

    A session whose time is over stays `expiring` until its seat is free: with `expired` its clients take it
    that the student can book again.
    """
    if state is BookingState.ENDING:
        return "unregister" if was_left else "expiring"
    return _PROGRESS[state]


def customer_row(record: BookingRecord, hour_seconds: float) -> CustomerRow:
    """Return a booking as a customer."""
    booking, workshop = record.found.booking, record.found.workshop
    state = BookingState(booking.state)
    rungs = [rung.workshops for rung in LADDER]
    return CustomerRow(
        id=known_id(booking.id),
        name=booking.name,
        email=booking.email,
        company=booking.company,
        session_name=workshop.title,
        session_type=workshop.session_type,
        location=host(record.found.backend),
        proxy="wod",
        active=state in OPEN_STATES,
        cleaned=state in FINAL_STATES,
        last_email_sent=last_email_sent(state, was_left=record.was_left),
        notebook=workshop.key,
        hours=booking.duration_hours,
        start_date=booking.ready_at or booking.created_at,
        end_date=expected_end(booking, hour_seconds),
        student_id=student_id(record.found.seat, record.found.backend),
        special_badge_id=rungs.index(record.rung) + 1 if record.rung in rungs else 0,
        completion_percentage=completion_percent(booking.cells_executed or 0, booking.cells_total or 0),
        created_at=booking.created_at,
        updated_at=booking.finished_at or booking.ready_at or booking.created_at,
    )


def expected_end(booking: Booking, hour_seconds: float) -> datetime:
    """Return when a session ends, or has ended; of one that isn't ready yet, when it would if it were."""
    if booking.finished_at and (booking.ends_at is None or booking.finished_at < booking.ends_at):
        return booking.finished_at
    return booking.ends_at or session_end(booking.created_at, booking.duration_hours, hour_seconds)


def student_id(seat: Seat, backend: Backend) -> int:
    """Return a seat's number plus its backend's `basestdid`."""
    return _base(backend) + seat.number


def place_of_student(student: int) -> tuple[int, int]:
    """Return the numbers of the backend and of the seat that a student's id tells."""
    return student // SEATS_APART + 1, student % SEATS_APART


def student_row(record: SeatRecord) -> StudentRow:
    """Return a seat as a student."""
    seat, backend = record.seat, record.backend
    return StudentRow(
        id=student_id(seat, backend),
        url=f"{backend.hub_url.rstrip('/')}/user/{seat.account}/lab",
        username=seat.account,
        assigned=record.is_held,
        location=host(backend),
        created_at=backend.created_at,
        updated_at=backend.ready_at or backend.created_at,
    )


def location_row(backend: Backend) -> LocationRow:
    """Return a backend as a location."""
    parts = urlsplit(backend.hub_url)
    return LocationRow(
        id=backend.number,
        name=host(backend),
        basestdid=_base(backend),
        proto=parts.scheme,
        port=parts.port or _DEFAULT_PORTS.get(parts.scheme, 0),
    )


def workshop_row(found: Offer, backends: Sequence[Backend], popular: set[int]) -> WorkshopRow:
    """Return a workshop that can be booked."""
    workshop = found.workshop
    hosts = [host(each) for each in backends]
    return WorkshopRow(
        id=known_id(workshop.id),
        name=workshop.title,
        notebook=workshop.key,
        description=workshop.description,
        capacity=found.free_seats,
        priority=workshop.priority,
        range=[workshop.seat_first, workshop.seat_last],
        reset=workshop.needs_reset,
        varpass=workshop.varies_password,
        ldap=workshop.ldap,
        beta=workshop.beta,
        session_type=workshop.session_type,
        location=hosts[0] if hosts else "",
        alternate_location=hosts[1:],
        avatar=web_address(workshop.avatar, needs_path=True),
        role=workshop.presenter_role,
        replay_link=web_address(workshop.replay_link, needs_path=True),
        replay_id=workshop.replay_id,
        workshop_img=web_address(workshop.image, needs_path=True),
        badge_img=web_address(workshop.badge_image, needs_path=True),
        category=workshop.category,
        duration=workshop.duration_hours,
        presenter=workshop.presenter,
        created_at=workshop.created_at,
        updated_at=workshop.updated_at,
        popular=workshop.id in popular,
    )


def user_row(user: UserAccount) -> UserRow:
    """Return a user, without anything of the password."""
    return UserRow(
        id=known_id(user.id),
        username=user.username,
        email=user.email,
        roles=user.roles,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def special_badges() -> list[SpecialBadgeRow]:
    """Return the ladder of special badges, lowest first, with ids from 1 on."""
    return [
        SpecialBadgeRow(
            id=number,
            name=rung.title,
            title=f"{rung.title} badge",
            description=f"For finishing {rung.workshops} different workshops.",
            badge_img="",
        )
        for number, rung in enumerate(LADDER, start=1)
    ]


def changes(row: CustomerRow, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return those of the wanted values, by the names of the existing system, that differ from the row's."""
    present = row.model_dump(mode="json", by_alias=True)
    return {name: value for name, value in wanted.items() if name not in present or present[name] != value}


def host(backend: Backend) -> str:
    """Return the host that students reach a backend at."""
    return urlsplit(backend.hub_url).hostname or backend.name


def _base(backend: Backend) -> int:
    return SEATS_APART * (backend.number - 1)

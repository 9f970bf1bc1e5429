"""Routes: a student's own page, behind the signed link of each mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter

from models.rules.booking import OPEN_STATES, BookingState
from models.rules.extending import extension_obstacle
from models.rules.links import badge_page, shared_badge
from models.rules.signed_links import read_link, sign_badge
from models.settings import Settings
from models.store.badges import EarnedBadge
from models.store.bookings import known_id, leave
from models.store.forgetting import forget_student
from models.store.measures import wish_measure
from models.store.own_page import (
    OwnRecords,
    StudentRecord,
    booking_under_way,
    extend,
    own_records,
    student_of,
)
from models.tables import Booking, Workshop, utc_now
from ui.api.own_schemas import Badge, Extension, Forgotten, OwnPage, PastBooking
from ui.api.parts import DatabaseHere, SettingsHere, refusals
from ui.api.progress import booking_status, completion, work_url
from ui.api.waiting import waiting_place

router = APIRouter(prefix="/api/v1/me", tags=["own page"])


@router.get("/{link}", responses=refusals("link_unknown", "link_expired"))
async def read_own_page(link: str, settings: SettingsHere, database: DatabaseHere) -> OwnPage:
    """Return all that the programme knows of the student whose mail the link came with.

    Asking has an open session measured, at most twice a minute: the next answer says how far the student is.
    """
    now = utc_now()
    async with database.transaction() as session:
        student = await student_of(session, _reference(link, settings, now))
        await wish_measure(session, student.email_key, now)
        records = await own_records(session, student.email_key, settings.hour_seconds, now)
    return _page(student, records, settings, now)


@router.post("/{link}/extension", responses=refusals("link_unknown", "link_expired", "extension_refused"))
async def extend_session(link: str, settings: SettingsHere, database: DatabaseHere) -> OwnPage:
    """Make the open session longer, as often and as long as is allowed here, while nobody waits for its seat."""
    now = utc_now()
    async with database.transaction() as session:
        student = await student_of(session, _reference(link, settings, now))
        await extend(
            session,
            student.email_key,
            now,
            limit=settings.extension_limit,
            hours=settings.extension_hours,
            reminder_hours=settings.reminder_hours,
            hour_seconds=settings.hour_seconds,
        )
    async with database.transaction() as session:
        records = await own_records(session, student.email_key, settings.hour_seconds, now)
    return _page(student, records, settings, now)


@router.delete("/{link}/booking", responses=refusals("link_unknown", "link_expired"))
async def end_session(link: str, settings: SettingsHere, database: DatabaseHere) -> OwnPage:
    """End the session under way; without one nothing changes."""
    now = utc_now()
    async with database.transaction() as session:
        student = await student_of(session, _reference(link, settings, now))
        booking = await booking_under_way(session, student.email_key)
        if booking is not None:
            await leave(session, booking.reference, now)
        records = await own_records(session, student.email_key, settings.hour_seconds, now)
    return _page(student, records, settings, now)


@router.delete("/{link}", responses=refusals("link_unknown", "link_expired"))
async def forget(link: str, settings: SettingsHere, database: DatabaseHere) -> Forgotten:
    """Erase all that tells who the student is: name, addresses, places in lines, kept work. Counts stay.

    A session under way is ended, and its seat wiped. The link opens nothing afterwards.
    """
    now = utc_now()
    async with database.transaction() as session:
        student = await student_of(session, _reference(link, settings, now))
        is_complete = await forget_student(session, student.email_key, now)
    if is_complete:
        return Forgotten(is_complete=True, message="Your name, address and work are erased.")
    return Forgotten(
        is_complete=False,
        message="Your name and address are erased. Your session is being ended, and its files with it.",
    )


def _reference(link: str, settings: Settings, now: datetime) -> str:
    return read_link(settings.secret("link_key"), link, now, settings.link_days)


def _page(student: StudentRecord, records: OwnRecords, settings: Settings, now: datetime) -> OwnPage:
    under_way = records.under_way
    is_open = under_way is not None and under_way.found.booking.state in OPEN_STATES
    return OwnPage(
        name=student.name,
        email=student.email,
        booking=booking_status(under_way, settings, now) if under_way else None,
        progress=completion(under_way.found.booking) if under_way and is_open else None,
        extension=_extension(under_way.found.booking, settings, now, is_awaited=records.is_awaited)
        if under_way and is_open
        else None,
        waiting=[waiting_place(each, settings) for each in records.places],
        badges=_badges(records.badges, settings),
        history=[_past(booking, workshop, settings, now) for booking, workshop in records.past],
    )


def _extension(booking: Booking, settings: Settings, now: datetime, *, is_awaited: bool) -> Extension:
    obstacle = extension_obstacle(
        BookingState(booking.state),
        booking.ends_at,
        now,
        booking.extensions,
        settings.extension_limit,
        is_awaited=is_awaited,
    )
    return Extension(
        is_possible=not obstacle,
        hours=settings.extension_hours,
        left=max(0, settings.extension_limit - booking.extensions),
        obstacle=obstacle,
    )


def _badges(earned: Sequence[EarnedBadge], settings: Settings) -> list[Badge]:
    key = settings.secret("link_key")
    codes = [sign_badge(key, each.sort, known_id(each.row_id), each.booking.reference) for each in earned]
    return [
        Badge(
            kind=badge.sort.value,
            title=badge.title,
            image=badge.picture,
            earned_at=badge.earned_at,
            code=code,
            proof_url=badge_page(settings.url("catalog"), code),
            share_url=shared_badge(settings.url("api"), code),
        )
        for badge, code in zip(earned, codes, strict=True)
    ]


def _past(booking: Booking, workshop: Workshop, settings: Settings, now: datetime) -> PastBooking:
    return PastBooking.model_validate(
        {
            "reference": booking.reference,
            "workshop": workshop.key,
            "workshop_title": workshop.title,
            "state": booking.state,
            "created_at": booking.created_at,
            "finished_at": booking.finished_at,
            "completion": completion(booking),
            "work_url": work_url(booking, settings, now),
            "work_until": booking.archive_until,
        }
    )

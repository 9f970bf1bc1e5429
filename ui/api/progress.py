"""What a student may know about a booking: pure, from the rows that tell its story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from models.rules.booking import OPEN_STATES, BookingState, MailKind
from models.rules.completion import completion_percent
from models.rules.links import booking_page, session_page, work_download
from models.settings import Settings
from models.store.story import Story
from models.tables import Booking, BookingLog, Mail
from ui.api.schemas import BookingCreated, BookingStatus, Completion, Step, StepKey

_TITLES: dict[StepKey, str] = {
    "seat": "Seat reserved",
    "notebooks": "Notebooks prepared",
    "account": "Account ready",
    "mail": "Password mailed",
}
_PREPARING = {BookingState.RESERVED, BookingState.PREPARING}
_GIVEN_UP = {BookingState.ABANDONING, BookingState.FAILED}

# What exactly failed names machines and folders: it is the operators' to know.
_GIVEN_UP_NOTICE = "Preparing it failed, and the operators were told why. Please book again."

# How often a page asks again, in seconds: often while a person waits, seldom while one works.
_POLL_WAITING = 1.0
_POLL_CLOSING = 2.0
_POLL_OPEN_SHARE, _POLL_OPEN_LEAST, _POLL_OPEN_MOST = 1 / 60, 1.0, 20.0


def booking_created(booking: Booking, workshop_key: str, settings: Settings) -> BookingCreated:
    """Return the answer to a booking that was accepted."""
    return BookingCreated.model_validate(
        {
            "reference": booking.reference,
            "state": booking.state,
            "workshop": workshop_key,
            "duration_hours": booking.duration_hours,
            "created_at": booking.created_at,
            "status_url": status_url(booking.reference, settings),
            "page_url": booking_page(settings.url("catalog"), booking.reference),
        }
    )


def booking_status(story: Story, settings: Settings, now: datetime) -> BookingStatus:
    """Return where a booking is at `now`; neither the password nor the whole e-mail address is in it."""
    found = story.found
    booking, workshop = found.booking, found.workshop
    state = BookingState(booking.state)
    is_open = state in OPEN_STATES
    left = int(max(0.0, (booking.ends_at - now).total_seconds())) if is_open and booking.ends_at else None
    credentials = next((mail for mail in story.mails if mail.kind == MailKind.CREDENTIALS), None)
    return BookingStatus.model_validate(
        {
            "reference": booking.reference,
            "state": state.value,
            "workshop": workshop.key,
            "workshop_title": workshop.title,
            "duration_hours": booking.duration_hours,
            "email_hint": email_hint(booking.email),
            "steps": _steps(booking, story.log, credentials),
            "created_at": booking.created_at,
            "ready_at": booking.ready_at,
            "ends_at": booking.ends_at,
            "finished_at": booking.finished_at,
            "seconds_left": left,
            "account": found.seat.account if is_open else "",
            "session_url": session_page(found.backend.hub_url.rstrip("/"), found.seat.account, workshop.key)
            if is_open
            else "",
            "notice": _notice(state, booking, credentials),
            "failure": _GIVEN_UP_NOTICE if state in _GIVEN_UP else "",
            "completion": None if is_open else completion(booking),
            "work_url": work_url(booking, settings, now),
            "work_until": booking.archive_until,
            "can_end": is_open or state in _PREPARING,
            "return_url": found.return_url,
            "poll_seconds": _poll_seconds(state, left, credentials),
        }
    )


def work_url(booking: Booking, settings: Settings, now: datetime) -> str:
    """Return where a student's work can be fetched; empty when none is kept."""
    is_kept = booking.archive_until is not None and now < booking.archive_until
    return work_download(settings.url("api"), booking.reference) if is_kept else ""


def status_url(reference: str, settings: Settings) -> str:
    """Return where programs follow a booking."""
    return f"{settings.url('api')}/api/v1/bookings/{quote(reference, safe='')}"


def _steps(booking: Booking, log: Sequence[BookingLog], credentials: Mail | None) -> list[Step]:
    done: set[str] = {"seat"} | {row.detail for row in log if row.event == "step"}
    if booking.ready_at is not None:
        done |= {"notebooks", "account"}
    done.discard("mail")
    if credentials is not None and credentials.sent_at is not None:
        done.add("mail")
    return [Step(key=key, title=title, done=key in done) for key, title in _TITLES.items()]


def _notice(state: BookingState, booking: Booking, credentials: Mail | None) -> str:
    if state in _PREPARING and booking.attempts:
        return "This takes longer than usual; it is being tried again."
    if state not in OPEN_STATES or credentials is None or credentials.sent_at is not None:
        return ""
    if credentials.given_up_at is not None:
        return (
            "The mail with your password could not be delivered. End this booking, then book again with an"
            " address that takes mail."
        )
    if credentials.attempts:
        return "Your seat is ready, but the mail with your password is late. It is being sent again and again."
    return ""


def completion(booking: Booking) -> Completion | None:
    """Return how much of the workshop was done, None while nobody has looked."""
    if booking.cells_executed is None or not booking.cells_total:
        return None
    percent = completion_percent(booking.cells_executed, booking.cells_total)
    return Completion(cells_executed=booking.cells_executed, cells_total=booking.cells_total, percent=percent)


def _poll_seconds(state: BookingState, left: int | None, credentials: Mail | None) -> float | None:
    if state in {BookingState.ENDED, BookingState.FAILED}:
        return None
    if state not in OPEN_STATES:
        return _POLL_WAITING if state in _PREPARING else _POLL_CLOSING
    if credentials is not None and credentials.sent_at is None and credentials.given_up_at is None:
        return _POLL_WAITING
    return min(_POLL_OPEN_MOST, max(_POLL_OPEN_LEAST, (left or 0) * _POLL_OPEN_SHARE))


def email_hint(email: str) -> str:
    """Return enough of an address to recognise one's own; empty for a student who was forgotten."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}" if email else ""

"""The mail of a booking: what it tells, gathered from the booking and the settings."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

from models.errors import Refused
from models.rules.badges import rung_of
from models.rules.booking import OPEN_STATES, MailKind
from models.rules.links import booking_page, session_page, work_download, workshop_page
from models.rules.passwords import derive_password
from models.settings import Settings
from models.store.bookings import BookingDetails
from tasks.mail import MailContext, branding, compose

_WITH_CREDENTIALS = {MailKind.CREDENTIALS, MailKind.REMINDER}


def booking_mail(
    settings: Settings, details: BookingDetails, kind: MailKind, data: dict[str, Any]
) -> EmailMessage:
    """Compose the mail of `kind` for a booking as it is now; `data` is what its outbox row holds.

    Raises:
        Refused: mail_too_late, for credentials and reminders of a session that is over; or as compose does.

    """
    booking, workshop = details.booking, details.workshop
    catalog_url = settings.url("catalog")
    if kind in _WITH_CREDENTIALS and booking.state not in OPEN_STATES:
        raise Refused("The session was over before this mail could be sent.", reason="mail_too_late")
    context = MailContext(
        reference=booking.reference,
        student_name=booking.name,
        workshop_title=workshop.title,
        duration_hours=booking.duration_hours,
        catalog_url=catalog_url,
        workshop_url=workshop_page(catalog_url, workshop.key),
        booking_url=booking_page(catalog_url, booking.reference),
        replay_url=workshop.replay_link,
        ends_at=booking.ends_at,
        # A session not longer than the notice is reminded at its half.
        hours_left=min(settings.reminder_hours, booking.duration_hours / 2),
        was_opened=booking.ready_at is not None,
        cells_executed=booking.cells_executed,
        cells_total=booking.cells_total,
        badge_title=workshop.title,
        badge_picture_url=workshop.badge_image,
        archive_url=work_download(settings.url("api"), booking.reference) if booking.archive_until else "",
        archive_days=settings.archive_days,
        archive_until=booking.archive_until,
        rung=rung_of(data["rung"]) if "rung" in data else None,
        **(_credentials(settings, details) if kind in _WITH_CREDENTIALS else {}),
    )
    return compose(kind, booking.email, context, branding(settings))


def _credentials(settings: Settings, details: BookingDetails) -> dict[str, str]:
    account = details.seat.account
    return {
        "username": account,
        "password": derive_password(settings.secret("password_key"), details.booking.reference),
        "session_url": session_page(details.backend.hub_url.rstrip("/"), account, details.workshop.key),
    }

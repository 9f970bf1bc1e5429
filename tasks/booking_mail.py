"""The mails of a booking, and of a place in a line: what they tell, gathered from there and the settings."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from typing import Any

from models.errors import Refused
from models.rules.badges import rung_of
from models.rules.booking import OPEN_STATES, MailKind
from models.rules.links import (
    badge_page,
    own_page,
    session_page,
    shared_badge,
    waiting_page,
    work_download,
    workshop_page,
)
from models.rules.passwords import derive_password
from models.rules.signed_links import BadgeSort, sign_badge, sign_link
from models.rules.waiting import WaitingState
from models.settings import Settings
from models.store.bookings import BookingDetails, known_id
from models.store.waiting import Place
from models.tables import Booking, WaitingEntry
from tasks.mail import MailContext, branding, compose

# The state of a place in a line that a mail about it tells of.
_STATE_OF = {MailKind.WAITING: WaitingState.WAITING, MailKind.OFFER: WaitingState.OFFERED}
_WITH_CREDENTIALS = {MailKind.CREDENTIALS, MailKind.REMINDER}


def booking_mail(
    settings: Settings,
    details: BookingDetails,
    kind: MailKind,
    data: dict[str, Any],
    now: datetime,
    *,
    mail_round: int = 0,
) -> EmailMessage:
    """Compose the mail of `kind` for a booking as it is at `now`; `data` is what its outbox row holds.

    Raises:
        Refused: mail_too_late, for credentials and reminders of a session that is over; or as compose does.

    """
    booking, workshop = details.booking, details.workshop
    catalog_url, api_url = settings.url("catalog"), settings.url("api")
    badge_code = _badge_code(settings, booking, data)
    if kind in _WITH_CREDENTIALS and booking.state not in OPEN_STATES:
        raise Refused("The session was over before this mail could be sent.", reason="mail_too_late")
    context = MailContext(
        reference=booking.reference,
        student_name=booking.name,
        workshop_title=workshop.title,
        duration_hours=booking.duration_hours,
        catalog_url=catalog_url,
        workshop_url=workshop_page(catalog_url, workshop.key),
        own_page_url=_own_page(settings, booking.reference, now),
        replay_url=workshop.replay_link,
        ends_at=booking.ends_at,
        hours_left=data.get("hours_left", settings.reminder_hours),
        was_opened=booking.ready_at is not None,
        cells_executed=booking.cells_executed,
        cells_total=booking.cells_total,
        badge_title=workshop.title,
        badge_picture_url=workshop.badge_image,
        badge_url=badge_page(catalog_url, badge_code),
        shared_badge_url=shared_badge(api_url, badge_code),
        archive_url=work_download(api_url, booking.reference) if booking.archive_until else "",
        archive_days=settings.archive_days,
        archive_until=booking.archive_until,
        rung=rung_of(data["rung"]) if "rung" in data else None,
        extension_hours=settings.extension_hours if booking.extensions < settings.extension_limit else 0,
        round=mail_round,
        **(_credentials(settings, details) if kind in _WITH_CREDENTIALS else {}),
    )
    return compose(kind, booking.email, context, branding(settings))


def waiting_mail(settings: Settings, place: Place, kind: MailKind, now: datetime) -> EmailMessage:
    """Compose the mail of `kind` for a place in a line as it is at `now`.

    Raises:
        Refused: mail_too_late, when it says what is so no more; or as compose does.

    """
    entry, workshop = place.entry, place.workshop
    if entry.state != _STATE_OF.get(kind, entry.state):
        raise Refused("This was so no more before the mail could be sent.", reason="mail_too_late")
    catalog_url = settings.url("catalog")
    context = MailContext(
        reference=entry.reference,
        student_name=entry.name,
        workshop_title=workshop.title,
        duration_hours=workshop.duration_hours,
        catalog_url=catalog_url,
        workshop_url=workshop_page(catalog_url, workshop.key),
        own_page_url=_own_page(settings, entry.reference, now),
        replay_url=workshop.replay_link,
        place_url=waiting_page(catalog_url, entry.reference),
        position=place.position,
        offer_hours=_offer_hours(settings, entry, now),
        offer_until=entry.offer_until,
    )
    return compose(kind, entry.email, context, branding(settings))


def _offer_hours(settings: Settings, entry: WaitingEntry, now: datetime) -> float:
    """Return for how many hours from now an offer is kept; before it is made, for how many it will be."""
    if entry.offer_until is None:
        return settings.offer_hours
    return max(0.0, (entry.offer_until - now).total_seconds() / settings.hour_seconds)


def _own_page(settings: Settings, reference: str, now: datetime) -> str:
    return own_page(settings.url("catalog"), sign_link(settings.secret("link_key"), reference, now))


def _badge_code(settings: Settings, booking: Booking, data: dict[str, Any]) -> str:
    """Return the code that proves the badge that a mail is about."""
    sort = BadgeSort.SPECIAL if "award" in data else BadgeSort.WORKSHOP
    row_id = data["award"] if "award" in data else known_id(booking.id)
    return sign_badge(settings.secret("link_key"), sort, row_id, booking.reference)


def _credentials(settings: Settings, details: BookingDetails) -> dict[str, Any]:
    account = details.seat.account
    return {
        "username": account,
        "password": derive_password(settings.secret("password_key"), details.booking.reference),
        "session_url": session_page(details.backend.hub_url.rstrip("/"), account, details.workshop.key),
    }

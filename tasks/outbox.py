"""The outbox: sending the mails that were promised with a change of state."""

from __future__ import annotations

import logging
from datetime import timedelta
from email.message import EmailMessage

from models.errors import Refused, StepFailed, WodError
from models.rules.booking import MailKind, retry_delay
from models.store.bookings import log_step
from models.store.seat_offers import prolong_offer
from models.store.waiting import place_by_id
from models.store.work import MailClaim, claim_mail, mark_mail_sent, postpone_mail
from models.tables import utc_now
from tasks.booking_mail import booking_mail, waiting_mail
from tasks.offering import longest_offer, offer_time
from tasks.recording import step
from tasks.running_platform import Platform, current_platform

logger = logging.getLogger(__name__)

# More mails of one booking than this are never due at once.
_MAILS_OF_A_BOOKING = 5

# The flow that promised a mail sends it within this time; the sweep leaves younger ones to it.
SWEEP_AFTER_SECONDS = 5


@step("send mails")
async def send_mails(booking_id: int) -> int:
    """Send what is due of one booking's mails; return how many the mail server took.

    A mail that can't be sent now stays in the outbox, which tries again: it never holds up a booking.
    """
    return await _send_due(_MAILS_OF_A_BOOKING, booking_id)


async def sweep_outbox(limit: int) -> int:
    """Send up to `limit` due mails that no flow sent; return how many the mail server took."""
    return await _send_due(limit, None)


async def send_line_mails(limit: int) -> int:
    """Send up to `limit` due mails to people who wait in lines; return how many the mail server took."""
    return await _send_due(limit, None, of_lines=True)


async def _send_due(limit: int, booking_id: int | None, *, of_lines: bool = False) -> int:
    """Claim and send one mail after the other: those of a booking arrive in the order of their promise."""
    platform = current_platform()
    rest = timedelta(seconds=0 if booking_id is not None or of_lines else SWEEP_AFTER_SECONDS)
    sent = 0
    for _ in range(limit):
        now = utc_now()
        async with platform.database.transaction() as session:
            claim = await claim_mail(
                session, platform.owner, now, _lease(platform), now - rest, booking_id, of_lines=of_lines
            )
        if claim is None:
            break
        sent += await _send(platform, claim)
    return sent


async def _send(platform: Platform, claim: MailClaim) -> bool:
    settings = platform.settings
    try:
        await platform.mailer.send(await _message(platform, claim))
    except Exception as caught:
        error = caught if isinstance(caught, WodError) else _unexpected(caught)
        now = utc_now()
        too_old = now - claim.created_at > timedelta(hours=settings.mail_retry_limit_hours)
        wait = retry_delay(claim.attempts + 1, settings.retry_first_seconds, settings.retry_longest_seconds)
        final = isinstance(error, Refused) or too_old
        logger.warning(
            "mail %s of %s was not sent (%s)%s",
            claim.kind,
            f"booking {claim.booking_id}" if claim.booking_id else f"place {claim.waiting_entry_id} in a line",
            error.reason,
            "; given up" if final else f"; next attempt in {wait.total_seconds():.0f} s",
        )
        async with platform.database.transaction() as session:
            await postpone_mail(session, claim, platform.owner, now, None if final else wait, error.message)
            if final and claim.booking_id is not None:
                await log_step(
                    session,
                    claim.booking_id,
                    "mail",
                    now,
                    f"The {claim.kind} mail was given up: {error.message}",
                )
        return False
    async with platform.database.transaction() as session:
        await mark_mail_sent(session, claim.mail_id, platform.owner, utc_now())
    return True


async def _message(platform: Platform, claim: MailClaim) -> EmailMessage:
    settings, now = platform.settings, utc_now()
    if claim.booking_id is not None:
        booking = await platform.details(claim.booking_id)
        return booking_mail(settings, booking, claim.kind, claim.data, now, mail_round=claim.round)
    if claim.waiting_entry_id is None:
        raise ValueError("a mail belongs to a booking or to a place in a line")
    async with platform.database.transaction() as session:
        if claim.kind is MailKind.OFFER:
            # A mail that goes out late must leave its reader as much time as others have.
            until = now + offer_time(settings)
            await prolong_offer(session, claim.waiting_entry_id, until, longest_offer(settings))
        place = await place_by_id(session, claim.waiting_entry_id, settings.hour_seconds, now)
    return waiting_mail(settings, place, claim.kind, now)


def _unexpected(error: Exception) -> StepFailed:
    logger.exception("a mail could not be made or sent")
    return StepFailed(f"Internal error ({type(error).__name__}).", reason="internal_error")


def _lease(platform: Platform) -> timedelta:
    """Return how long a mail is claimed for: longer than the mail server may take for it."""
    return timedelta(seconds=platform.settings.lease_seconds + platform.settings.step_timeout_seconds)

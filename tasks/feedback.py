"""Feedback on its way to those who manage the programme."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from models.door_tables import Feedback
from models.errors import Refused, StepFailed
from models.rules.people import plain_line
from models.settings import Settings
from models.store.bookings import known_id
from models.store.feedback import lock_unmailed_feedback
from models.tables import utc_now
from tasks.mail_policy import MAIL_POLICY
from tasks.running_platform import Platform

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 20


async def forward_feedback(platform: Platform) -> int:
    """Mail what is new to `feedback_email`, if that is set; return how many mails the server took.

    What it refuses for good is mailed no more, and what it can't take now another time: neither keeps the rest.
    A server that is away, or takes none of our mails, is asked once. An engine that is killed meanwhile has it
    mailed again, with the same Message-ID.
    """
    sent = last_id = 0
    while platform.settings.feedback_email and sent < _MOST_AT_ONCE:
        # The row's lock keeps other engines from it; nobody else writes it.
        async with platform.database.transaction() as session:
            found = await lock_unmailed_feedback(session, last_id)
            if found is None:
                break
            last_id = known_id(found.id)
            try:
                await platform.mailer.send(feedback_mail(found, platform.settings))
                sent += 1
            except StepFailed as error:
                logger.warning("feedback %d was not mailed (%s); tried again later", last_id, error.reason)
                if error.reason != "mail_postponed":
                    break
                continue
            except Exception as error:  # also a mail that can't be made: anybody may write anything
                reason = error.reason if isinstance(error, Refused) else type(error).__name__
                logger.warning("feedback %d can't be mailed (%s); `wod feedback` shows it", last_id, reason)
            found.mailed_at = utc_now()
    return sent


def feedback_mail(feedback: Feedback, settings: Settings) -> EmailMessage:
    """Return the mail that brings feedback to the operator; an answer goes to whoever gave it."""
    brand = plain_line(settings.brand)
    sender = Address(display_name=brand, addr_spec=settings.mail_sender)
    message = EmailMessage(policy=MAIL_POLICY)
    message["From"] = sender
    message["To"] = Address(addr_spec=settings.feedback_email)
    message["Reply-To"] = Address(addr_spec=feedback.email)
    message["Subject"] = f"Feedback for {brand}"
    named = f"{feedback.id}/{feedback.created_at.isoformat()}"
    message["Message-ID"] = f"<feedback.{hashlib.sha256(named.encode()).hexdigest()[:20]}@{sender.domain}>"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    said = f"{feedback.email} wrote at {feedback.created_at:%Y-%m-%d %H:%M} UTC:\n\n{feedback.message}\n"
    message.set_content(said, cte="quoted-printable")
    return message

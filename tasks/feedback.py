"""Feedback on its way to those who manage the programme."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from models.door_tables import Feedback
from models.rules.people import plain_line
from models.settings import Settings
from models.store.feedback import lock_unmailed_feedback
from models.tables import utc_now
from tasks.mail_policy import MAIL_POLICY
from tasks.running_platform import Platform

_MOST_AT_ONCE = 20


async def forward_feedback(platform: Platform) -> int:
    """Mail what is new to `feedback_email`, if that is set; return how many mails the server took.

    An engine that is killed meanwhile has it mailed again, with the same Message-ID.

    Raises:
        Refused, StepFailed: as Mailer.send does; what is left is mailed another time.

    """
    sent = 0
    while platform.settings.feedback_email and sent < _MOST_AT_ONCE:
        # The row's lock keeps other engines from it; nobody else writes it.
        async with platform.database.transaction() as session:
            found = await lock_unmailed_feedback(session)
            if found is None:
                break
            await platform.mailer.send(feedback_mail(found, platform.settings))
            found.mailed_at = utc_now()
        sent += 1
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

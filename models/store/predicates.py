"""What many statements ask of bookings, places in lines and workshops, as conditions in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, and_, false, func, select
from sqlmodel import col

from models.rules.booking import FINAL_STATES
from models.rules.waiting import IN_LINE
from models.tables import Booking, Mail, WaitingEntry, Workshop

_FINAL = [state.value for state in FINAL_STATES]
_IN_LINE = [state.value for state in IN_LINE]


def is_booking(booking_id: int) -> ColumnElement[bool]:
    """Return the condition that a booking has a number; one that PostgreSQL has no integer for is no booking's."""
    return col(Booking.id) == booking_id if 0 < booking_id < 2**31 else false()


def is_unfinished() -> ColumnElement[bool]:
    """Return the condition that a booking holds its seat. The indexes of such bookings are found by it."""
    return col(Booking.state).not_in(_FINAL)


def is_unfinished_of(email_key: str) -> ColumnElement[bool]:
    """Return the condition that a booking is the one that an address has under way."""
    return and_(col(Booking.email_key) == email_key, is_unfinished())


def is_in_line() -> ColumnElement[bool]:
    """Return the condition that somebody waits in a line, or has an offer."""
    return col(WaitingEntry.state).in_(_IN_LINE)


def is_to_send() -> ColumnElement[bool]:
    """Return the condition that a mail is promised, and neither sent nor given up."""
    return and_(col(Mail.sent_at).is_(None), col(Mail.given_up_at).is_(None))


def is_being_sent(now: datetime) -> ColumnElement[bool]:
    """Return the condition that an engine has a mail in hand."""
    return func.coalesce(col(Mail.lease_until) >= now, false())


def is_on_offer() -> ColumnElement[bool]:
    """Return the condition that a workshop can be booked."""
    return and_(col(Workshop.active).is_(True), col(Workshop.retired_at).is_(None))


def running_count() -> ScalarSelect[int]:
    """Return how many unfinished bookings a workshop has, for a statement about workshops."""
    return (
        select(func.count())
        .where(col(Booking.workshop_id) == col(Workshop.id), is_unfinished())
        .correlate(Workshop)
        .scalar_subquery()
    )

"""The tables of those who use the API: people with accounts, partners with keys, and what partners are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables import moment, utc_now


class UserAccount(SQLModel, table=True):
    """A person who manages the programme through the API; students need no account."""

    __tablename__ = "user_account"

    id: int | None = Field(default=None, primary_key=True)
    username: str = Field(unique=True)
    email: str = Field(unique=True)
    password_hash: str = Field(description="Argon2id.")
    roles: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False), description="As in Role.")
    created_at: datetime = moment(default_factory=utc_now)
    updated_at: datetime = moment(default_factory=utc_now)


class LoginSession(SQLModel, table=True):
    """A log-in that is valid until it expires."""

    __tablename__ = "login_session"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id", ondelete="CASCADE", index=True)
    token_digest: str = Field(unique=True, description="SHA-256 of the token; the token itself is nowhere.")
    created_at: datetime = moment(default_factory=utc_now)
    expires_at: datetime = moment()


class ApiKey(SQLModel, table=True):
    """A key by which a program of a partner uses the API; `revoked_at` closes it."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    key_digest: str = Field(unique=True, description="SHA-256 of the key; the key itself is nowhere.")
    scopes: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    request_rate: str = Field(description="How many requests it may make, such as 60/minute.")
    bookings_at_once: int = Field(description="How many unfinished bookings it may have.")
    created_at: datetime = moment(default_factory=utc_now)
    last_used_at: datetime | None = moment(default=None)
    revoked_at: datetime | None = moment(default=None)


class PartnerBooking(SQLModel, table=True):
    """That a booking was made by a partner's program for one of its users."""

    __tablename__ = "partner_booking"
    __table_args__ = (Index("bookings_of_key", "api_key_id", "booking_id"),)

    booking_id: int = Field(foreign_key="booking.id", primary_key=True)
    api_key_id: int = Field(foreign_key="api_key.id")
    partner_user: str = Field(default="", description="The partner's own name for the student.")
    return_url: str = Field(default="", description="Where the partner wants the student back.")


class RememberedAnswer(SQLModel, table=True):
    """What a request with an idempotency key was answered, so that the same one again is answered the same."""

    __tablename__ = "remembered_answer"
    __table_args__ = (UniqueConstraint("api_key_id", "idempotency_key"),)

    id: int | None = Field(default=None, primary_key=True)
    api_key_id: int = Field(foreign_key="api_key.id")
    idempotency_key: str
    request_digest: str = Field(description="SHA-256 of what was asked, empty once its student is forgotten.")
    booking_id: int = Field(foreign_key="booking.id", description="The booking that was made.")
    created_at: datetime = moment(default_factory=utc_now, index=True)


class Webhook(SQLModel, table=True):
    """An address of a partner that is told what happens to the partner's bookings; signed with a derived key."""

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True, description="Names it outside; its signing key is derived from it.")
    api_key_id: int = Field(foreign_key="api_key.id", index=True)
    url: str
    events: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    created_at: datetime = moment(default_factory=utc_now)
    disabled_at: datetime | None = moment(default=None)


class WebhookDelivery(SQLModel, table=True):
    """One event for one webhook, promised in the transaction of the event, delivered or not."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("delivery_due", "due_at", postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL")),
        Index("deliveries_of_webhook", "webhook_id", "id"),
        UniqueConstraint("webhook_id", "booking_log_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True, description="Its webhook-id, by which a receiver knows a second delivery.")
    webhook_id: int = Field(foreign_key="webhook.id", ondelete="CASCADE")
    booking_log_id: int = Field(foreign_key="booking_log.id", description="What it tells of.")
    event: str
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = moment(default_factory=utc_now)
    due_at: datetime = moment(default_factory=utc_now)
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    attempts: int = 0
    status: int | None = Field(default=None, description="What the address answered last.")
    failure: str = ""
    delivered_at: datetime | None = moment(default=None)
    given_up_at: datetime | None = moment(default=None)


class Feedback(SQLModel, table=True):
    """What somebody wanted to say."""

    id: int | None = Field(default=None, primary_key=True)
    email: str
    message: str = Field(sa_type=Text)
    created_at: datetime = moment(default_factory=utc_now)
    mailed_at: datetime | None = moment(
        default=None, description="When the operator's mail server took it, or refused it for good."
    )

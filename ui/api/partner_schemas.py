"""What the API takes from partners' programs and answers them; it needs nothing but pydantic."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ui.api.schemas import BookingRequest, BookingState, Completion

EventName = Literal[
    "booking.reserved",
    "booking.ready",
    "booking.reminded",
    "booking.extended",
    "booking.ending",
    "booking.ended",
    "booking.failed",
]
Events = Annotated[
    list[EventName],
    Field(
        min_length=1, max_length=7, description="What it is told.", examples=[["booking.ready", "booking.ended"]]
    ),
]


class PartnerBookingRequest(BookingRequest):
    """A partner's wish for a seat for one of its users."""

    partner_user: str = Field(
        "", description="Your own name for the student, up to 100 characters.", examples=["u-4711"]
    )
    return_url: str = Field(
        "",
        description="Where the student can go back to from the booking's page: https.",
        examples=["https://portal.example.org/workshops"],
    )


class PartnerBooking(BaseModel):
    """A booking that was made with your key."""

    reference: str = Field(
        description="Names the booking. Who holds it may see and end the booking: keep it secret.",
        examples=["aVx3bQm0kPzL2nYtR8sW1uEo"],
    )
    state: BookingState = Field(examples=["ready"])
    workshop: str = Field(examples=["WKSHP-Python101"])
    workshop_title: str = Field(examples=["Python 101"])
    duration_hours: float = Field(examples=[4])
    partner_user: str = Field(description="Empty, too, once the student was forgotten.", examples=["u-4711"])
    return_url: str = Field(description="Empty likewise.", examples=["https://portal.example.org/workshops"])
    created_at: datetime
    ready_at: datetime | None = Field(description="When the seat was ready and the clock started.")
    ends_at: datetime | None = Field(description="When the session ends, or was to end.")
    finished_at: datetime | None = Field(description="When the seat was given back.")
    completion: Completion | None = Field(description="Measured when the session ended.")
    status_url: str = Field(description="Where programs follow it step by step; needs no key.")
    page_url: str = Field(description="Where the student follows it.")


class PartnerBookingPage(BaseModel):
    """Some of your bookings, newest first."""

    bookings: list[PartnerBooking]
    next_cursor: str | None = Field(description="Cursor of what follows; null: nothing does.", examples=[None])


class WebhookRequest(BaseModel):
    """An address that is to be told what happens to your bookings."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        description="https, and not in a private network.", examples=["https://portal.example.org/hook"]
    )
    events: Events


class WebhookChange(BaseModel):
    """What is to be different about a webhook; null: as it is."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, description="https, and not in a private network.")
    events: Events | None = None
    is_enabled: bool | None = None


class Webhook(BaseModel):
    """An address that is told what happens to your bookings."""

    reference: str = Field(examples=["hook_3bQm0kPzL2nYtR8sW1uEoaVx"])
    url: str = Field(examples=["https://portal.example.org/hook"])
    events: list[EventName]
    is_enabled: bool = Field(description="False: nothing is told; it answered 410 Gone, or you disabled it.")
    created_at: datetime


class WebhookCreated(Webhook):
    """A new webhook, with what its messages are signed with."""

    secret: str = Field(
        description="Shown this once: verify each message's webhook-signature with it.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class WebhookList(BaseModel):
    """Your webhooks, oldest first: ten at most."""

    webhooks: list[Webhook]


class Delivery(BaseModel):
    """One message for a webhook, delivered or not."""

    reference: str = Field(description="Its webhook-id.", examples=["msg_3bQm0kPzL2nYtR8sW1uEoaVx"])
    event: EventName
    booking: str = Field(description="Reference of the booking.", examples=["aVx3bQm0kPzL2nYtR8sW1uEo"])
    state: Literal["pending", "delivered", "given_up"] = Field(examples=["pending"])
    attempts: int = Field(examples=[1])
    status: int | None = Field(description="What your address answered last.", examples=[503])
    failure: str = Field(description="Why the last attempt failed.", examples=["The address answered 503."])
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None


class DeliveryPage(BaseModel):
    """Some of a webhook's messages, newest first; they are kept for 30 days."""

    deliveries: list[Delivery]
    next_cursor: str | None = Field(description="Cursor of what follows; null: nothing does.", examples=[None])


class WebhookBooking(BaseModel):
    """The booking that a message is about, as it was then."""

    reference: str
    workshop: str
    state: BookingState
    partner_user: str
    created_at: datetime
    ready_at: datetime | None
    ends_at: datetime | None
    finished_at: datetime | None
    cells_executed: int | None
    cells_total: int | None


class WebhookMessage(BaseModel):
    """What is posted to a webhook, as JSON."""

    type: EventName
    timestamp: datetime = Field(description="When it happened; messages may arrive in another order.")
    data: WebhookBooking

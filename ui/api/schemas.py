"""What the API takes and answers; shared with its clients, so it needs nothing but pydantic."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BookingState = Literal["reserved", "preparing", "ready", "expiring", "ending", "ended", "abandoning", "failed"]
StepKey = Literal["seat", "notebooks", "account", "mail"]


class Brand(BaseModel):
    """How the programme presents itself; an empty text means that there is none."""

    name: str = Field(examples=["Workshops on Demand"])
    owner: str = Field(examples=["Example Community"])
    url: str = Field(examples=["https://example.org"])
    logo: str = Field(examples=["https://example.org/logo.svg"])
    color: str = Field(description="Of buttons: #rrggbb.", examples=["#01775A"])
    link_color: str = Field(description="The same, readable on a light page.", examples=["#01775A"])
    dark_link_color: str = Field(description="The same, readable on a dark page.", examples=["#3d9883"])
    chat_url: str = Field(examples=["https://chat.example.org"])
    terms_url: str = Field(examples=["https://example.org/terms"])
    archive_days: float = Field(description="How long a student's work can be fetched.", examples=[14])
    offer_hours: float = Field(description="How long a free seat is kept for whoever is next.", examples=[0.5])


class Workshop(BaseModel):
    """A workshop that can be booked. Addresses are absolute, or empty where there is none."""

    key: str = Field(description="Names the workshop in a booking.", examples=["WKSHP-Python101"])
    title: str = Field(examples=["Python 101"])
    description: str = Field(description="Plain text.", examples=["First steps in Python, in notebooks."])
    duration_hours: float = Field(description="How long a seat is a student's.", examples=[4])
    category: list[str] = Field(examples=[["Open Source"]])
    session_type: str = Field(examples=["Workshops-on-Demand"])
    presenter: str = Field(examples=["Ada Example"])
    presenter_role: str = Field(examples=["Software engineer"])
    avatar: str = Field(description="Picture of the presenter.", examples=[""])
    image: str = Field(description="Picture of the workshop.", examples=[""])
    badge_image: str = Field(description="Badge for those who finish.", examples=[""])
    replay_link: str = Field(description="Video of a live session.", examples=["https://video.example.org/1"])
    capacity: int = Field(description="How many can take it at once.", examples=[20])
    free_seats: int = Field(description="How many can book it now.", examples=[7])
    next_free_at: datetime | None = Field(description="When a full workshop has a seat again at the latest.")
    waiting: int = Field(description="How many wait for a seat; they come first.", examples=[0])
    can_wait: bool = Field(description="Whether the line takes one more.")
    kind: Literal["workshop", "challenge"]
    is_popular: bool = Field(description="Among the ten that most different people booked.")
    is_new: bool = Field(description="Offered for less than 30 days.")
    created_at: datetime = Field(description="When it was first offered.")
    updated_at: datetime = Field(description="When its author last changed it.")


class WorkshopDetails(Workshop):
    """A workshop with its author's own introduction."""

    readme: str = Field(
        description="The first page of its notebooks as Markdown; pictures have absolute addresses.",
        examples=["# Python 101"],
    )
    share_url: str = Field(
        description="Leads to its page, and tells sites that preview links what it is.",
        examples=["https://api.example.org/share/workshop/WKSHP-Python101"],
    )


class BookingRequest(BaseModel):
    """A student's wish for a seat."""

    model_config = ConfigDict(extra="forbid")

    workshop: str = Field(description="Key of the workshop.", examples=["WKSHP-Python101"])
    email: str = Field(description="Where the password goes.", examples=["ana@example.org"])
    name: str = Field(examples=["Ana Example"])
    company: str = Field("", examples=["Example Inc."])
    accept_terms: Literal[True] = Field(description="The student accepts the terms and conditions.")


class BookingCreated(BaseModel):
    """A booking that was accepted: a seat is taken and being made ready."""

    reference: str = Field(
        description="Names the booking. Who holds it may see and end the booking: keep it secret.",
        examples=["aVx3bQm0kPzL2nYtR8sW1uEo"],
    )
    state: BookingState = Field(examples=["reserved"])
    workshop: str = Field(examples=["WKSHP-Python101"])
    duration_hours: float = Field(examples=[4])
    created_at: datetime
    status_url: str = Field(
        description="Where programs follow it.",
        examples=["https://api.example.org/api/v1/bookings/aVx3bQm0kPzL2nYtR8sW1uEo"],
    )
    page_url: str = Field(
        description="Where people follow it.",
        examples=["https://workshops.example.org/booking?booking=aVx3bQm0kPzL2nYtR8sW1uEo"],
    )


class Step(BaseModel):
    """One step of preparing a seat."""

    key: StepKey
    title: str = Field(examples=["Seat reserved"])
    done: bool


class Completion(BaseModel):
    """How much of the workshop was done, measured when the session ended."""

    cells_executed: int = Field(examples=[18])
    cells_total: int = Field(examples=[24])
    percent: int = Field(examples=[75])


class BookingStatus(BaseModel):
    """Where a booking is. The password is nowhere but in the student's mail."""

    reference: str = Field(examples=["aVx3bQm0kPzL2nYtR8sW1uEo"])
    state: BookingState = Field(examples=["ready"])
    workshop: str = Field(examples=["WKSHP-Python101"])
    workshop_title: str = Field(examples=["Python 101"])
    duration_hours: float = Field(examples=[4])
    email_hint: str = Field(description="Enough to recognise one's own address.", examples=["a…@example.org"])
    steps: list[Step] = Field(description="In the order in which they are taken.")
    created_at: datetime
    ready_at: datetime | None = Field(description="When the seat was ready and the clock started.")
    ends_at: datetime | None = Field(description="When the session ends, or was to end.")
    finished_at: datetime | None = Field(description="When the seat was given back.")
    seconds_left: int | None = Field(description="Until the end of an open session.", examples=[14042])
    account: str = Field(description="Name to log in with, while the session is open.", examples=["student7"])
    session_url: str = Field(description="Opens JupyterLab, while the session is open.")
    notice: str = Field(description="What is not going well, and what is done about it.", examples=[""])
    failure: str = Field(description="Why preparing was given up.", examples=[""])
    completion: Completion | None
    work_url: str = Field(description="Where the student's work can be fetched, while it is kept.")
    work_until: datetime | None = Field(description="Until when it is kept.")
    can_end: bool = Field(description="Whether ending it would change anything.")
    return_url: str = Field(
        "", description="Where the student came from and may go back to; empty: nowhere.", examples=[""]
    )
    poll_seconds: float | None = Field(
        description="When asking again makes sense; null: it won't change any more.", examples=[1]
    )


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Name of the field; empty: the request as a whole.", examples=["email"])
    reason: str = Field(examples=["email_malformed"])
    message: str = Field(examples=["This is not an e-mail address that we can write to."])


class Problem(BaseModel):
    """Why a request was not granted, in the manner of RFC 9457 (application/problem+json)."""

    status: int = Field(description="The HTTP status.")
    reason: str = Field(description="A short stable word for programs.")
    message: str = Field(description="What happened and what to do, for people.")
    fields: list[FieldProblem] = Field(default_factory=list, description="All fields that are wrong.")
    retry_at: datetime | None = Field(None, description="When asking again makes sense, if that is known.")


PartName = Literal["database", "migrations", "engine", "mail", "backends", "prefect"]


class Part(BaseModel):
    """How one part of the platform is doing."""

    ok: bool
    message: str = Field(examples=["The database answers."])
    seconds: float | None = Field(None, description="How long the oldest thing has waited, where things wait.")


class Health(BaseModel):
    """How the platform is doing, as the API sees it.

    `down`: the API can't do its own work. `degraded`: bookings are taken, but something waits too long.
    """

    status: Literal["ok", "degraded", "down"]
    parts: dict[PartName, Part]

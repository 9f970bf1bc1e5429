"""What the API answers a student about waiting, the own page behind the link in each mail, and badges."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ui.api.schemas import BookingState, BookingStatus, Completion

WaitingState = Literal["waiting", "offered", "booked", "left", "expired", "closed"]


class WaitingRequest(BaseModel):
    """A student's wish for the next free seat of a workshop."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(description="Where the offer goes.", examples=["ana@example.org"])
    name: str = Field(examples=["Ana Example"])
    company: str = Field("", examples=["Example Inc."])
    accept_terms: Literal[True] = Field(description="The student accepts the terms and conditions.")


class WaitingPlace(BaseModel):
    """A place in the line for a workshop. An offered seat is kept until `offer_until`."""

    reference: str = Field(
        description="Names the place. Who holds it may take the offer: keep it secret.",
        examples=["aVx3bQm0kPzL2nYtR8sW1uEo"],
    )
    state: WaitingState = Field(examples=["waiting"])
    workshop: str = Field(examples=["WKSHP-Python101"])
    workshop_title: str = Field(examples=["Python 101"])
    duration_hours: float = Field(examples=[4])
    email_hint: str = Field(description="Enough to recognise one's own address.", examples=["a…@example.org"])
    position: int | None = Field(description="1: next; null: not in the line any more.", examples=[2])
    next_free_at: datetime | None = Field(description="When the next seat is free at the latest, if known.")
    created_at: datetime
    offer_until: datetime | None = Field(description="Until when the offered seat is kept.")
    booking: str = Field(description="Reference of the booking that came of it, or empty.", examples=[""])
    poll_seconds: float | None = Field(
        description="When asking again makes sense; null: it won't change any more.", examples=[15]
    )


class Extension(BaseModel):
    """Whether a session can be made longer."""

    is_possible: bool
    hours: float = Field(description="By how long.", examples=[1])
    left: int = Field(description="How often it can still be done.", examples=[2])
    obstacle: str = Field(description="Why it is not possible now, for people.", examples=[""])


class Badge(BaseModel):
    """A badge that a student has earned."""

    kind: Literal["workshop", "special"]
    title: str = Field(examples=["Python 101"])
    image: str = Field(description="Absolute address, or empty: it has no picture of its own.", examples=[""])
    earned_at: datetime
    code: str = Field(description="Proves the badge to anybody who is given it.", examples=["MTI.Xk2aB9"])
    proof_url: str = Field(description="Page that proves it.")
    share_url: str = Field(description="Leads there, and tells sites that preview links what it is.")


class PastBooking(BaseModel):
    """A booking that is over."""

    reference: str
    workshop: str = Field(examples=["WKSHP-Python101"])
    workshop_title: str = Field(examples=["Python 101"])
    state: BookingState = Field(examples=["ended"])
    created_at: datetime
    finished_at: datetime | None
    completion: Completion | None
    work_url: str = Field(description="Where the student's work can be fetched, while it is kept.")
    work_until: datetime | None


class OwnPage(BaseModel):
    """All that the programme knows of a student, for whoever can read the student's mail."""

    name: str = Field(examples=["Ana Example"])
    email: str = Field(examples=["ana@example.org"])
    booking: BookingStatus | None = Field(description="The session under way.")
    progress: Completion | None = Field(description="How far the student is, measured a moment ago.")
    extension: Extension | None = Field(description="Null: there is no open session.")
    waiting: list[WaitingPlace] = Field(description="Places in lines that still count.")
    badges: list[Badge] = Field(description="Newest first.")
    history: list[PastBooking] = Field(description="Newest first.")


class Forgotten(BaseModel):
    """What forgetting a student came to."""

    is_complete: bool = Field(description="False: the session under way is being ended, and forgotten then.")
    message: str = Field(examples=["Your name, address and work are erased."])


class BadgeProof(BaseModel):
    """A badge, shown to anybody to whom its holder has given its code."""

    kind: Literal["workshop", "special"]
    title: str = Field(examples=["Python 101"])
    description: str
    holder: str = Field(examples=["Ana Example"])
    image: str = Field(examples=[""])
    workshop: str = Field(description="Key of the workshop; empty for a special badge.")
    share_url: str = Field(description="Leads to its page, and tells sites that preview links what it is.")
    earned_at: datetime
    completion: Completion | None


class BadgeKind(BaseModel):
    """A badge that can be earned, for the wall of badges."""

    kind: Literal["workshop", "special"]
    title: str = Field(examples=["Apprentice"])
    description: str = Field(examples=["Finished 3 different workshops."])
    image: str = Field(description="Absolute address, or empty: it has no picture of its own.", examples=[""])
    workshop: str = Field(description="Key of the workshop; empty for a special badge.")
    holders: int = Field(description="How many people have earned it.", examples=[12])

"""What programs that were written for the existing system send and get; its names, in its spelling."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LastEmailSent = Literal["welcome", "credentials", "expiring", "expired", "error", "unregister"]


class _Row(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Message(BaseModel):
    """What happened, in the words of the existing system where it has any."""

    message: str


class LoginRequest(BaseModel):
    """Whom to let in."""

    username: str = Field(examples=["moderator"])
    password: str = Field(examples=["correct horse battery"])


class LoginAnswer(_Row):
    """Who has come in, and what to send as `x-access-token` from now on."""

    id: int = Field(examples=[1])
    username: str = Field(examples=["moderator"])
    email: str = Field(examples=["moderator@example.org"])
    roles: list[str] = Field(examples=[["ROLE_MODERATOR"]])
    access_token: str = Field(examples=["Sx0GKkz1vHb0v9kC3pXQm2aQ7y5nJr8w"])


class UserRequest(BaseModel):
    """A user to add."""

    username: str = Field(examples=["moderator"])
    email: str = Field(examples=["moderator@example.org"])
    password: str = Field(description="At least 12 characters.", examples=["correct horse battery"])
    roles: list[str] | None = Field(
        None, description="Of user, moderator and admin; none: user.", examples=[["moderator"]]
    )


class UserChange(BaseModel):
    """What to change of a user; what is missing stays."""

    username: str | None = Field(None, examples=["moderator"])
    email: str | None = Field(None, examples=["moderator@example.org"])
    password: str | None = Field(None, examples=["correct horse battery"])
    roles: list[str] | None = Field(None, examples=[["moderator"]])


class UserRow(_Row):
    """A user, without anything of the password."""

    id: int = Field(examples=[1])
    username: str = Field(examples=["moderator"])
    email: str = Field(examples=["moderator@example.org"])
    roles: list[str] = Field(examples=[["moderator"]])
    created_at: datetime
    updated_at: datetime


class CustomerRequest(_Row):
    """A student's wish for a seat; fields that are not listed are not looked at."""

    email: str = Field(description="Where the password goes.", examples=["ana@example.org"])
    name: str = Field(examples=["Ana Example"])
    company: str | None = Field(None, examples=["Example Inc."])
    title: str | None = Field(None, description="Title of the workshop.", examples=["Python 101"])
    notebook: str | None = Field(
        None, description="Key of the workshop; it counts, if it is given.", examples=["WKSHP-Python101"]
    )
    terms_and_conditions: bool | None = Field(
        None, description="False is refused. A portal that sends nothing has asked its student itself."
    )
    proxy: str | None = Field(None, description="Is sent back.", examples=["wod"])


class CustomerCreated(_Row):
    """A booking that was accepted."""

    id: int = Field(examples=[12])
    name: str = Field(examples=["Ana Example"])
    email: str = Field(examples=["ana@example.org"])
    student_id: int = Field(examples=[7])
    proxy: str = Field(examples=["wod"])


class CustomerExists(_Row):
    """That the student has a booking already; which one only moderators are told."""

    id: int | None = Field(examples=[12])
    title: str | None = Field(examples=["Python 101"])
    end_date: datetime | None = Field(description="When it ends at the latest.")


class CustomerRow(_Row):
    """A booking, as the existing system shows its customers."""

    id: int = Field(examples=[12])
    name: str = Field(examples=["Ana Example"])
    email: str = Field(examples=["ana@example.org"])
    company: str = Field(examples=["Example Inc."])
    session_name: str = Field(description="Title of the workshop.", examples=["Python 101"])
    session_type: str = Field(examples=["Workshops-on-Demand"])
    location: str = Field(description="Host of the backend.", examples=["be1.example.org"])
    proxy: str = Field(examples=["wod"])
    active: bool = Field(description="Whether the session is open.")
    cleaned: bool = Field(description="Whether the seat is free again.")
    last_email_sent: LastEmailSent | None = Field(description="How far the booking is.", examples=["credentials"])
    notebook: str = Field(description="Key of the workshop.", examples=["WKSHP-Python101"])
    hours: float = Field(examples=[4])
    start_date: datetime = Field(description="When the seat was ready; before that, when it was booked.")
    end_date: datetime = Field(description="When the session ends, or ended; before it is ready, about when.")
    student_id: int = Field(description="Of the seat.", examples=[7])
    special_badge_id: int = Field(description="Highest that the student has; 0: none.", examples=[0])
    completion_percentage: int = Field(examples=[75])
    created_at: datetime
    updated_at: datetime


class StudentRow(_Row):
    """A seat, as the existing system shows its students; the password is nowhere but in the student's mail."""

    id: int = Field(description="The seat's number plus the location's `basestdid`.", examples=[7])
    url: str = Field(examples=["https://be1.example.org:8000/user/student7/lab"])
    username: str = Field(examples=["student7"])
    password: Literal[""] = ""
    assigned: bool = Field(description="Whether a booking holds it.")
    location: str = Field(examples=["be1.example.org"])
    created_at: datetime
    updated_at: datetime


class LocationRow(_Row):
    """A backend, as the existing system shows its locations."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["be1.example.org"])
    basestdid: int = Field(description="What is added to a seat's number in `studentId`.", examples=[0])
    proto: str = Field(examples=["https"])
    port: int = Field(examples=[8000])


class WorkshopRow(_Row):
    """A workshop that can be booked, as the existing system shows it."""

    id: int = Field(examples=[3])
    name: str = Field(examples=["Python 101"])
    notebook: str = Field(examples=["WKSHP-Python101"])
    description: str = Field(examples=["First steps in Python, in notebooks."])
    capacity: int = Field(description="How many can book it now.", examples=[7])
    priority: int = Field(examples=[1])
    range: list[int] = Field(description="First and last seat on each backend.", examples=[[1, 20]])
    reset: bool
    varpass: bool
    ldap: bool
    monoappliance: Literal[False] = False
    multiappliance: Literal[False] = False
    beta: bool
    session_id: None = None
    session_type: str = Field(examples=["Workshops-on-Demand"])
    location: str = Field(examples=["be1.example.org"])
    alternate_location: list[str] = Field(examples=[["be2.example.org"]])
    avatar: str = Field(examples=[""])
    role: str = Field(examples=["Software engineer"])
    pre_requisite: Literal[""] = ""
    compile: Literal[""] = ""
    replay_link: str = Field(examples=["https://video.example.org/1"])
    replay_id: int = Field(examples=[5])
    active: Literal[True] = True
    workshop_img: str = Field(examples=[""])
    badge_img: str = Field(examples=[""])
    category: list[str] = Field(examples=[["Open Source"]])
    duration: float = Field(description="In hours.", examples=[4])
    presenter: str = Field(examples=["Ada Example"])
    created_at: datetime
    updated_at: datetime
    popular: bool = Field(description="Among the ten that most different people booked.")


class SpecialBadgeRow(_Row):
    """A badge for those who finish several workshops."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Apprentice"])
    title: str = Field(examples=["Apprentice badge"])
    description: str = Field(examples=["For finishing 3 different workshops."])
    badge_img: str = Field(description="Empty: it has no picture.", examples=[""])


class FeedbackRequest(BaseModel):
    """What somebody wants to say."""

    email: str | None = Field(None, examples=["ana@example.org"])
    message: str | None = Field(None, examples=["I liked the second notebook best."])
    proxy: str | None = Field(None, examples=["wod"])

"""The tables: what the platform knows. Rules are elsewhere; constraints that keep them true are here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.rules.booking import FINAL_STATES

_HOLDS_SEAT = "state NOT IN (" + ", ".join(f"'{state}'" for state in sorted(FINAL_STATES)) + ")"


def utc_now() -> datetime:
    """Return the present moment, time zone aware, in UTC."""
    return datetime.now(UTC)


def moment(**options: Any) -> Any:
    """Return a field for a time zone aware moment."""
    return Field(sa_type=DateTime(timezone=True), **options)


class Workshop(SQLModel, table=True):
    """A workshop on offer, as its last valid sync left it; `retired_at` marks one that vanished."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, description="Name of its folder: WKSHP-…")
    title: str
    description: str = Field(sa_type=Text)
    readme: str = Field(default="", sa_type=Text, description="Its first notebook, as Markdown.")
    active: bool
    capacity: int
    priority: int
    seat_first: int
    seat_last: int
    duration_hours: float
    needs_reset: bool = False
    varies_password: bool = False
    ldap: bool = False
    beta: bool = False
    category: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    presenter: str = ""
    presenter_role: str = ""
    avatar: str = ""
    image: str = ""
    badge_image: str = ""
    replay_id: int = 0
    replay_link: str = ""
    session_type: str = "Workshops-on-Demand"
    source: str = Field(description="The catalog that it came from: a folder or the address of a repository.")
    content_digest: str = Field(description="SHA-256 of its content; names the snapshot it is rendered from.")
    created_at: datetime = moment(default_factory=utc_now)
    updated_at: datetime = moment(default_factory=utc_now)
    retired_at: datetime | None = moment(default=None)


class WorkshopPicture(SQLModel, table=True):
    """A picture that the introduction of a workshop shows; its name is made of its bytes."""

    __tablename__ = "workshop_picture"

    workshop_id: int = Field(foreign_key="workshop.id", primary_key=True)
    name: str = Field(primary_key=True)
    media_type: str
    content: bytes = Field(sa_type=LargeBinary)


class Backend(SQLModel, table=True):
    """A machine with a JupyterHub and its seats; `retired` marks one that vanished from the list."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    number: int = Field(unique=True, description="Counts from 1.")
    hub_url: str = Field(description="Address that students open.")
    hub_api_url: str = Field(description="Address of the hub's REST API for the engine.")
    machine: str = Field(default="local", description="local, or the machine's ssh address, user@host:port.")
    homes: str = Field(default="", description="Folder of the seats' homes; empty: that of the settings.")
    isolation: str = Field(default="", description="How seats are kept apart; empty: as in the settings.")
    seat_agent: str = Field(default="", description="The seat agent that is installed there; empty: it travels.")
    created_at: datetime = moment(default_factory=utc_now)
    ready_at: datetime | None = moment(
        default=None, description="When its seats were first seen to be there; until then none is given out."
    )
    failure: str = Field(default="", description="Why its seats could not be made or seen, for a person.")
    hub_failure: str = Field(default="", description="Why its hub did not answer when an engine last asked.")
    retired: bool = False


class Seat(SQLModel, table=True):
    """One private place on a backend; free when no unfinished booking holds it."""

    __table_args__ = (UniqueConstraint("backend_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    backend_id: int = Field(foreign_key="backend.id")
    number: int = Field(description="Counts from 1 on its backend.")
    account: str = Field(description="Name of its account on the machine and in the hub.")
    generation: int = Field(default=0, description="Counts its bookings; a machine refuses work for an older one.")
    retired: bool = False


class Booking(SQLModel, table=True):
    """One student's booking, from the reservation of its seat to its release."""

    __table_args__ = (
        Index("one_booking_per_seat", "seat_id", unique=True, postgresql_where=text(_HOLDS_SEAT)),
        Index("one_booking_per_email", "email_key", unique=True, postgresql_where=text(_HOLDS_SEAT)),
        Index("booking_due", "due_at", postgresql_where=text(_HOLDS_SEAT)),
        Index("booking_running_of_workshop", "workshop_id", postgresql_where=text(_HOLDS_SEAT)),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True, description="Unguessable; who holds it may see and end the booking.")
    workshop_id: int = Field(foreign_key="workshop.id")
    seat_id: int = Field(foreign_key="seat.id")
    seat_generation: int
    email: str
    email_key: str = Field(index=True, description="The address in the form in which two are compared.")
    name: str
    company: str = ""
    state: str = Field(description="A BookingState.")
    duration_hours: float
    content_digest: str = Field(description="The content it was reserved with.")
    created_at: datetime = moment(default_factory=utc_now)
    ready_at: datetime | None = moment(default=None)
    ends_at: datetime | None = moment(default=None)
    finished_at: datetime | None = moment(default=None)
    due_at: datetime = moment(default_factory=utc_now, description="When an engine must act next.")
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    attempts: int = Field(default=0, description="Failed attempts at the present work.")
    failure: str = Field(default="", description="Why the last attempt failed, for a person.")
    extensions: int = Field(default=0, description="How often its session was prolonged.")
    forget: bool = Field(default=False, description="Whether the student is to be forgotten when it is over.")
    measure_wanted_at: datetime | None = moment(default=None, description="When the student last looked how far.")
    measured_at: datetime | None = moment(default=None)
    cells_executed: int | None = None
    cells_total: int | None = None
    archive_until: datetime | None = moment(default=None)


class BookingLog(SQLModel, table=True):
    """What happened to a booking, in order: each change of state and each finished step."""

    __tablename__ = "booking_log"

    id: int | None = Field(default=None, primary_key=True)
    booking_id: int = Field(foreign_key="booking.id", index=True)
    at: datetime = moment(default_factory=utc_now)
    event: str = Field(description="A BookingEvent, `step` or `failure`.")
    state: str = Field(description="The state that it led to.")
    detail: str = ""


class Mail(SQLModel, table=True):
    """The outbox: a mail that was promised in the transaction of its reason, sent or not.

    It belongs to a booking or to an entry of a waiting list. A mail of the same kind is promised again in
    another `round` only: a session that was prolonged has a second reminder.
    """

    __table_args__ = (
        UniqueConstraint("booking_id", "kind", "round", name="mail_of_booking"),
        UniqueConstraint("waiting_entry_id", "kind", "round", name="mail_of_waiting_entry"),
        CheckConstraint("num_nonnulls(booking_id, waiting_entry_id) = 1", name="mail_belongs_to_one"),
        Index("mail_due", "due_at", postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True)
    booking_id: int | None = Field(default=None, foreign_key="booking.id")
    waiting_entry_id: int | None = Field(default=None, foreign_key="waiting_entry.id")
    kind: str = Field(description="A MailKind.")
    round: int = 0
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    created_at: datetime = moment(default_factory=utc_now)
    due_at: datetime = moment(default_factory=utc_now)
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    attempts: int = 0
    failure: str = ""
    sent_at: datetime | None = moment(default=None)
    given_up_at: datetime | None = moment(default=None)


class EngineBeat(SQLModel, table=True):
    """An engine that lives, or did when it was last seen; `owner` signs its leases."""

    __tablename__ = "engine_beat"

    owner: str = Field(primary_key=True)
    seen_at: datetime = moment()
    sees_prefect: bool = Field(description="Whether Prefect's server answers it.")


class WaitingEntry(SQLModel, table=True):
    """A student who waits for a seat of a workshop, in the order of `id`; an offer keeps one seat for a while."""

    __tablename__ = "waiting_entry"
    __table_args__ = (
        Index("one_offer_per_seat", "seat_id", unique=True, postgresql_where=text("state = 'offered'")),
        Index(
            "one_place_per_email",
            "workshop_id",
            "email_key",
            unique=True,
            postgresql_where=text("state IN ('waiting', 'offered')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True, description="Unguessable; who holds it may see and leave the place.")
    workshop_id: int = Field(foreign_key="workshop.id")
    email: str
    email_key: str = Field(index=True, description="The address in the form in which two are compared.")
    name: str
    company: str = ""
    state: str = Field(description="A WaitingState.")
    created_at: datetime = moment(default_factory=utc_now)
    seat_id: int | None = Field(default=None, foreign_key="seat.id", description="The seat that is offered.")
    offered_at: datetime | None = moment(default=None)
    offer_until: datetime | None = moment(default=None)
    booking_id: int | None = Field(default=None, foreign_key="booking.id", description="What came of the offer.")


class BadgeAward(SQLModel, table=True):
    """A special badge that an address has earned, once for each rung."""

    __tablename__ = "badge_award"
    __table_args__ = (UniqueConstraint("email_key", "rung"),)

    id: int | None = Field(default=None, primary_key=True)
    email_key: str
    rung: int = Field(description="Number of different workshops finished: 3, 5, 7, 10 or 15.")
    booking_id: int = Field(foreign_key="booking.id")
    awarded_at: datetime = moment(default_factory=utc_now)

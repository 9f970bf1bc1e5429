"""Badges in SQL: what an address has finished, and what it was awarded for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, distinct, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import Refused
from models.rules.badges import Rung, earned_rungs, rung_of
from models.rules.booking import BookingState, MailKind
from models.rules.links import web_address
from models.rules.signed_links import BadgeCode, BadgeSort, fingerprint_of, unknown_badge
from models.store.bookings import promise_mail
from models.tables import BadgeAward, Booking, Workshop


@dataclass(frozen=True)
class EarnedBadge:
    """A badge with the booking that brought it; `rung` is that of a special one."""

    booking: Booking
    workshop: Workshop
    award_id: int | None = None
    rung: Rung | None = None

    @property
    def sort(self) -> BadgeSort:
        """What it is for."""
        return BadgeSort.SPECIAL if self.rung else BadgeSort.WORKSHOP

    @property
    def row_id(self) -> int | None:
        """The number that its code holds."""
        return self.award_id if self.rung else self.booking.id

    @property
    def title(self) -> str:
        """What it is called."""
        return self.rung.title if self.rung else self.workshop.title

    @property
    def picture(self) -> str:
        """The address of its picture, or empty: the drawn ones have none."""
        return "" if self.rung else web_address(self.workshop.badge_image, needs_path=True)

    @property
    def earned_at(self) -> datetime:
        """When the session ended that brought it."""
        return self.booking.finished_at or self.booking.created_at


@dataclass(frozen=True)
class Holders:
    """How many people have each badge: by workshop's id, and by rung."""

    of_workshops: dict[int, int]
    of_rungs: dict[int, int]


async def award_earned_badges(session: AsyncSession, email_key: str, booking_id: int, now: datetime) -> None:
    """Award what an address has earned with the booking that has just ended, each rung once.

    Of several rungs that are reached at once only the highest is mailed.
    """
    awarded = set(
        await session.scalars(select(col(BadgeAward.rung)).where(col(BadgeAward.email_key) == email_key))
    )
    rungs = [rung.workshops for rung in earned_rungs(await _finished_workshops(session, email_key), awarded)]
    for rung in rungs:
        new = await session.scalar(
            insert(BadgeAward)
            .values(email_key=email_key, rung=rung, booking_id=booking_id, awarded_at=now)
            .on_conflict_do_nothing()
            .returning(col(BadgeAward.id))
        )
        if new is not None and rung == max(rungs):
            promise_mail(session, booking_id, MailKind.SPECIAL_BADGE, now, {"rung": rung, "award": new})


async def badges_of(session: AsyncSession, email_key: str) -> list[EarnedBadge]:
    """Return the badges of an address, the newest first; a workshop that was finished twice has one."""
    finished = await session.execute(
        _finished()
        .where(col(Booking.email_key) == email_key)
        .order_by(col(Booking.workshop_id), col(Booking.id))
        .distinct(col(Booking.workshop_id))
    )
    special = await session.execute(_awards().where(col(BadgeAward.email_key) == email_key))
    badges = [EarnedBadge(booking, workshop) for booking, workshop in finished]
    badges += [
        EarnedBadge(booking, workshop, award.id, rung_of(award.rung)) for booking, workshop, award in special
    ]
    return sorted(badges, key=lambda badge: badge.earned_at, reverse=True)


async def badge_named(session: AsyncSession, code: BadgeCode) -> EarnedBadge:
    """Return the badge that a signed code names.

    Raises:
        Refused: badge_unknown; badge_withdrawn, when its holder was forgotten.

    """
    badge = await _badge(session, code)
    if badge is None or fingerprint_of(badge.booking.reference) != code.fingerprint:
        raise unknown_badge()
    if badge.booking.forget:
        raise Refused(
            "Whoever earned this badge had their data erased, so it proves nothing any more.",
            reason="badge_withdrawn",
        )
    return badge


async def badge_holders(session: AsyncSession) -> Holders:
    """Count the people who have each badge."""
    workshops = await session.execute(
        select(col(Booking.workshop_id), func.count(distinct(col(Booking.email_key))))
        .where(_earns_badge())
        .group_by(col(Booking.workshop_id))
    )
    rungs = await session.execute(select(col(BadgeAward.rung), func.count()).group_by(col(BadgeAward.rung)))
    return Holders(dict(workshops.tuples().all()), dict(rungs.tuples().all()))


def _earns_badge() -> ColumnElement[bool]:
    """Return the condition that models.rules.badges.earns_badge states, for bookings that have ended."""
    return and_(
        col(Booking.state) == BookingState.ENDED,
        col(Booking.ready_at).is_not(None),
        or_(func.coalesce(col(Booking.cells_total), 0) == 0, func.coalesce(col(Booking.cells_executed), 0) > 0),
    )


async def _badge(session: AsyncSession, code: BadgeCode) -> EarnedBadge | None:
    if code.sort is BadgeSort.WORKSHOP:
        finished = (await session.execute(_finished().where(col(Booking.id) == code.row_id))).first()
        return EarnedBadge(*finished) if finished else None
    special = (await session.execute(_awards().where(col(BadgeAward.id) == code.row_id))).first()
    return EarnedBadge(special[0], special[1], special[2].id, rung_of(special[2].rung)) if special else None


def _finished() -> Select[tuple[Booking, Workshop]]:
    return (
        select(Booking, Workshop)
        .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
        .where(_earns_badge())
    )


def _awards() -> Select[tuple[Booking, Workshop, BadgeAward]]:
    return (
        select(Booking, Workshop, BadgeAward)
        .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
        .join(BadgeAward, col(BadgeAward.booking_id) == col(Booking.id))
    )


async def _finished_workshops(session: AsyncSession, email_key: str) -> int:
    """Count the different workshops that an address ended with at least one executed cell."""
    count = await session.scalar(
        select(func.count(distinct(col(Booking.workshop_id)))).where(
            col(Booking.email_key) == email_key,
            col(Booking.state) == BookingState.ENDED,
            col(Booking.cells_executed) > 0,
        )
    )
    return count or 0

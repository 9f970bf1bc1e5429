"""Partners in SQL: their keys, and the bookings that their programs make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import ApiKey, PartnerBooking, RememberedAnswer, Webhook
from models.errors import Refused
from models.rules.booking import BookingState
from models.store.announcing import announce_event
from models.store.bookings import known_id, unknown_booking
from models.store.predicates import is_unfinished
from models.store.reservations import Reservation, reserve
from models.tables import Booking, BookingLog, Workshop

# How often the last use of a key is written down: to see which are in use, days would do.
_USE_NOTED = timedelta(minutes=1)

# Twice the time that a program should repeat a request for; more is no repetition but a mistake.
_REMEMBERED_FOR = timedelta(hours=48)


@dataclass(frozen=True)
class PartnerWish:
    """What a partner's program adds to a reservation; without an idempotency key each wish is a new one."""

    api_key_id: int
    partner_user: str
    return_url: str
    idempotency_key: str
    request_digest: str


@dataclass(frozen=True)
class PartnersBooking:
    """A booking as its partner sees it."""

    booking: Booking
    workshop: Workshop
    partner_user: str
    return_url: str


async def save_key(
    session: AsyncSession,
    *,
    name: str,
    key_digest: str,
    scopes: Sequence[str],
    request_rate: str,
    bookings_at_once: int,
    now: datetime,
) -> None:
    """Keep a new key, or refuse: key_name_taken."""
    if await session.scalar(select(ApiKey).where(col(ApiKey.name) == name)) is not None:
        raise Refused(
            f"There is, or was, a key named {name}. Its bookings bear that name: choose another.",
            reason="key_name_taken",
        )
    session.add(
        ApiKey(
            name=name,
            key_digest=key_digest,
            scopes=list(scopes),
            request_rate=request_rate,
            bookings_at_once=bookings_at_once,
            created_at=now,
        )
    )


async def all_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """Return all keys, revoked ones included, by name."""
    return list(await session.scalars(select(ApiKey).order_by(col(ApiKey.name))))


async def revoke_key(session: AsyncSession, name: str, now: datetime) -> None:
    """Close a key for good, or refuse: key_name_unknown. Its bookings go on; its webhooks are told no more."""
    changed = await session.execute(
        update(ApiKey)
        .where(col(ApiKey.name) == name)
        .values(revoked_at=func.coalesce(col(ApiKey.revoked_at), now))
        .returning(col(ApiKey.id))
    )
    key_id = changed.scalar()
    if key_id is None:
        raise Refused(f"There is no key named {name}. `wod key list` shows them.", reason="key_name_unknown")
    await session.execute(update(Webhook).where(col(Webhook.api_key_id) == key_id).values(disabled_at=now))


async def open_key(session: AsyncSession, key_digest: str, now: datetime) -> ApiKey | None:
    """Return the key with this digest unless it is revoked, and note that it is in use."""
    key = await session.scalar(
        select(ApiKey).where(col(ApiKey.key_digest) == key_digest, col(ApiKey.revoked_at).is_(None))
    )
    if key is not None and (key.last_used_at is None or key.last_used_at < now - _USE_NOTED):
        await session.execute(
            update(ApiKey)
            .where(
                col(ApiKey.id) == key.id,
                or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) < now - _USE_NOTED),
            )
            .values(last_used_at=now)
            .execution_options(synchronize_session=False)
        )
    return key


async def lock_key(session: AsyncSession, api_key_id: int) -> ApiKey:
    """Return a key, locked, or refuse: key_unknown, when it was revoked after the request had come."""
    key = await session.get_one(ApiKey, api_key_id, with_for_update={"key_share": True})
    if key.revoked_at is not None:
        raise unknown_key()
    return key


async def reserve_for_partner(
    session: AsyncSession, reservation: Reservation, wish: PartnerWish, now: datetime, *, hour_seconds: float
) -> tuple[Booking, bool]:
    """Take a seat for a partner's student as `reserve` does; or return the booking that the same wish made before.

    The second value tells whether it is that earlier one. Bookings of one key wait for each other, so that the
    same wish sent twice at once makes one booking.

    Raises:
        Refused: as reserve and lock_key do; idempotency_key_reused; too_many_bookings, with `retry_at` when known.
        SeatTaken: as reserve does.

    """
    key = await lock_key(session, wish.api_key_id)
    earlier = await _remembered(session, wish)
    if earlier is not None:
        return earlier, True
    await _refuse_too_many(session, key)
    booking = await reserve(session, reservation, now, hour_seconds=hour_seconds)
    booking_id = known_id(booking.id)
    session.add(
        PartnerBooking(
            booking_id=booking_id,
            api_key_id=wish.api_key_id,
            partner_user=wish.partner_user,
            return_url=wish.return_url,
        )
    )
    if wish.idempotency_key:
        session.add(
            RememberedAnswer(
                api_key_id=wish.api_key_id,
                idempotency_key=wish.idempotency_key,
                request_digest=wish.request_digest,
                booking_id=booking_id,
                created_at=now,
            )
        )
    await session.flush()
    first = (
        select(BookingLog).where(col(BookingLog.booking_id) == booking_id).order_by(col(BookingLog.id)).limit(1)
    )
    await announce_event(session, (await session.scalars(first)).one())
    return booking, False


async def partners_bookings(
    session: AsyncSession,
    api_key_id: int,
    *,
    after: str = "",
    state: BookingState | None = None,
    since: datetime | None = None,
    limit: int,
) -> Sequence[PartnersBooking]:
    """Return up to `limit` bookings of a key, newest first, beginning after the one that `after` names.

    `since` leaves out those that were made before.

    Raises:
        Refused: cursor_unknown.

    """
    wanted = _of_key(api_key_id).order_by(col(Booking.id).desc()).limit(limit)
    if after:
        row_id = await session.scalar(
            select(col(Booking.id))
            .join(PartnerBooking, col(PartnerBooking.booking_id) == col(Booking.id))
            .where(col(Booking.reference) == after, col(PartnerBooking.api_key_id) == api_key_id)
        )
        wanted = wanted.where(col(PartnerBooking.booking_id) < cursor_row(row_id))
    if state is not None:
        wanted = wanted.where(col(Booking.state) == state)
    if since is not None:
        wanted = wanted.where(col(Booking.created_at) >= since)
    return [PartnersBooking(*row) for row in await session.execute(wanted)]


async def partners_booking(session: AsyncSession, api_key_id: int, reference: str) -> PartnersBooking:
    """Return one booking of a key, or refuse: booking_unknown, for those of others, too."""
    found = await session.execute(_of_key(api_key_id).where(col(Booking.reference) == reference))
    row = found.first()
    if row is None:
        raise unknown_booking()
    return PartnersBooking(*row)


async def forget_answers(session: AsyncSession, now: datetime) -> None:
    """Forget what programs were answered so long ago that they don't ask the same again."""
    await session.execute(delete(RememberedAnswer).where(col(RememberedAnswer.created_at) < now - _REMEMBERED_FOR))


def unknown_key() -> Refused:
    """Return the refusal for what asks without a key that is valid."""
    return Refused(
        "This needs a key: Authorization: Bearer wod_…. The one that was sent is none, or is revoked.",
        reason="key_unknown",
    )


def cursor_row(row_id: int | None) -> int:
    """Return the row of a list that a cursor names, or refuse: cursor_unknown."""
    if row_id is None:
        raise Refused("This cursor belongs to no list of yours. Begin again without one.", reason="cursor_unknown")
    return row_id


def _of_key(api_key_id: int) -> Select[tuple[Booking, Workshop, str, str]]:
    return (
        select(Booking, Workshop, col(PartnerBooking.partner_user), col(PartnerBooking.return_url))
        .join(PartnerBooking, col(PartnerBooking.booking_id) == col(Booking.id))
        .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
        .where(col(PartnerBooking.api_key_id) == api_key_id)
    )


async def _remembered(session: AsyncSession, wish: PartnerWish) -> Booking | None:
    if not wish.idempotency_key:
        return None
    answer = await session.scalar(
        select(RememberedAnswer).where(
            col(RememberedAnswer.api_key_id) == wish.api_key_id,
            col(RememberedAnswer.idempotency_key) == wish.idempotency_key,
        )
    )
    if answer is None:
        return None
    if answer.request_digest != wish.request_digest:
        raise Refused(
            "This Idempotency-Key was used for another request. Use a new one for each booking, and the same one"
            " only to repeat a request unchanged.",
            reason="idempotency_key_reused",
        )
    return await session.get_one(Booking, answer.booking_id)


async def _refuse_too_many(session: AsyncSession, key: ApiKey) -> None:
    unfinished = (
        select(func.count(), func.min(col(Booking.ends_at)))
        .join(PartnerBooking, col(PartnerBooking.booking_id) == col(Booking.id))
        .where(col(PartnerBooking.api_key_id) == key.id, is_unfinished())
    )
    count, ends_at = (await session.execute(unfinished)).one()
    if count >= key.bookings_at_once:
        raise Refused(
            f"This key has {count} unfinished bookings, and can have {key.bookings_at_once} at once. End one, or"
            " wait until one has ended.",
            reason="too_many_bookings",
            retry_at=ends_at,
        )

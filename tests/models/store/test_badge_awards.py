import pytest
from sqlalchemy import select

from models.rules.booking import BookingState, MailKind
from models.store.badges import award_earned_badges
from models.tables import Backend, BadgeAward, Booking, Mail, Seat, Workshop, utc_now

pytestmark = pytest.mark.integration


async def finish(database, number, *, executed=1, address="a@example.com"):
    """End a booking of the workshop `number` and award what is earned with it."""
    async with database.transaction() as session:
        workshop = await session.scalar(select(Workshop).where(Workshop.key == f"WKSHP-{number}"))
        if workshop is None:
            workshop = Workshop(
                key=f"WKSHP-{number}",
                title="",
                description="",
                active=True,
                capacity=1,
                priority=1,
                seat_first=1,
                seat_last=1,
                duration_hours=1,
                source="",
                content_digest="",
            )
            session.add(workshop)
        seat = await session.scalar(select(Seat))
        if seat is None:
            backend = Backend(name="be", number=1, hub_url="", hub_api_url="")
            session.add(backend)
            await session.flush()
            seat = Seat(backend_id=backend.id, number=1, account="student1")
            session.add(seat)
        await session.flush()
        booking = Booking(
            reference=f"{address}-{number}-{utc_now().timestamp()}",
            workshop_id=workshop.id,
            seat_id=seat.id,
            seat_generation=1,
            email=address,
            email_key=address,
            name="A",
            state=BookingState.ENDED,
            duration_hours=1,
            content_digest="",
            cells_executed=executed,
            cells_total=4,
        )
        session.add(booking)
        await session.flush()
        await award_earned_badges(session, address, booking.id, utc_now())
        return booking.id


async def awards(database, address="a@example.com"):
    async with database.transaction() as session:
        rungs = await session.scalars(select(BadgeAward.rung).where(BadgeAward.email_key == address))
        mails = await session.scalars(select(Mail.data).where(Mail.kind == MailKind.SPECIAL_BADGE))
        return sorted(rungs), sorted(data["rung"] for data in mails)


async def test_each_rung_is_awarded_and_mailed_once(database):
    for number in range(8):
        await finish(database, number)
    assert await awards(database) == ([3, 5, 7], [3, 5, 7])
    await finish(database, 7)
    assert await awards(database) == ([3, 5, 7], [3, 5, 7])


async def test_neither_repeats_nor_visits_without_work_count(database):
    for _ in range(5):
        await finish(database, 1)
    for number in range(2, 8):
        await finish(database, number, executed=0)
    assert await awards(database) == ([], [])

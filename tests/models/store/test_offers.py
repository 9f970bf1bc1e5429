"""The list of workshops stays cheap, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, exc

from models.store.backends import offer_backend, take_in_backends
from models.store.catalog import offer, offers, save_workshop
from models.store.database import Database
from models.tables import Backend, utc_now

VALUES = {
    "title": "T", "description": "d", "readme": "r" * 10_000, "active": True, "capacity": 5, "priority": 1,
    "seat_first": 1, "seat_last": 10, "duration_hours": 4.0, "source": "samples", "content_digest": "0" * 64,
}  # fmt: skip


@contextmanager
def statements() -> Iterator[list[str]]:
    """Yield the statements that are executed meanwhile."""
    seen: list[str] = []

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_five_hundred_workshops_take_no_more_statements_than_one(database: Database) -> None:
    backend = Backend(name="be1", number=1, hub_url="", hub_api_url="")
    async with database.transaction() as session:
        await take_in_backends(session, [backend], {1: 20})
        await offer_backend(session, 1, [f"student{number}" for number in range(1, 21)], utc_now())
        await save_workshop(session, "WKSHP-0", VALUES, utc_now())
    async with database.transaction() as session:
        with statements() as for_one:
            assert [each.free_seats for each in await offers(session)] == [5]
    async with database.transaction() as session:
        for number in range(1, 500):
            await save_workshop(session, f"WKSHP-{number}", VALUES, utc_now())
    async with database.transaction() as session:
        with statements() as for_all:
            found = await offers(session)
        assert {each.free_seats for each in found} == {5}
        assert len(found) == 500
        assert len(for_all) == len(for_one) <= 4
        assert "readme" not in for_all[0]
        # What would be read for each workshop alone is an error.
        with pytest.raises(exc.InvalidRequestError):
            _ = found[0].workshop.readme
    async with database.transaction() as session:
        assert (await offer(session, "WKSHP-7")).workshop.readme == VALUES["readme"]

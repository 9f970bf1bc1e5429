"""What PostgreSQL writes down of errors, set up as the platform sets it up: nothing that tells who somebody is."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from postgres import PrivatePostgres
from store_samples import offer, until_somebody_waits, wish

from deployments.stack.layout import find_layout
from deployments.stack.services import services
from models.errors import Refused
from models.settings import load_settings
from models.store.database import Database
from models.store.reservations import reserve
from models.tables import utc_now
from tasks.roles.templates import fill

pytestmark = pytest.mark.integration

# Where the server is, which is the tests' business.
_PLACE = ("port", "listen_addresses", "unix_socket_directories", "max_connections")


def of_one_machine() -> dict[str, str]:
    """Return the settings that the one-machine platform gives its PostgreSQL."""
    table = services(load_settings(), find_layout(), is_database_embedded=True)
    argv = next(each.argv for each in table if each.name == "database")
    return dict(value.split("=", 1) for option, value in pairwise(argv) if option == "-c")


def of_a_stack() -> dict[str, str]:
    """Return the settings that the installer gives PostgreSQL."""
    files = (fill(f"api_db/{name}.conf").decode() for name in ("postgresql", "postgresql_log"))
    lines = [line for file in files for line in file.splitlines()]
    found = (line.split(" = ", 1) for line in lines if not line.startswith("#"))
    return {name: value.strip("'") for name, value in found}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(Path(tempfile.mkdtemp(prefix="wod-test-postgres-")))
    server.start(**{name: value for name, value in request.param().items() if name not in _PLACE})
    yield server
    server.discard()


@pytest.mark.parametrize("server", [of_one_machine, of_a_stack], indirect=True)
async def test_the_log_of_two_bookings_at_once_holds_no_address(server: PrivatePostgres) -> None:
    database = Database(server.new_database())
    await offer(database, "WKSHP-One", seats=(1, 20))
    await offer(database, "WKSHP-Two", seats=(21, 40))

    async def book(key: str) -> None:
        async with database.transaction() as session:
            await reserve(session, wish(1, key), utc_now(), hour_seconds=3600)

    async with database.transaction() as first:
        await reserve(first, wish(1, "WKSHP-One"), utc_now(), hour_seconds=3600)
        second = asyncio.create_task(book("WKSHP-Two"))
        await until_somebody_waits(database)
    with pytest.raises(Refused) as refused:
        await second
    assert refused.value.reason == "already_booked"
    await database.close()
    assert "one_booking_per_email" in server.log
    assert wish(1).email not in server.log

"""What tests share: a private PostgreSQL with a database for each test, and machines to boot."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from machines import Machines, RunningMachine
from postgres import PrivatePostgres, start_postgres

from models.store.database import Database

# Whichever test boots the first machine of a suite makes the tree for it: minutes, on a busy machine.
_MACHINE_SECONDS = 1200

# A shell that starts the tests in its background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that boot machines the time that they may take."""
    for item in items:
        if "machines" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(_MACHINE_SECONDS))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """Yield a running PostgreSQL."""
    server = start_postgres()
    yield server
    server.discard()


@pytest.fixture
async def database(postgres: PrivatePostgres) -> AsyncIterator[Database]:
    """Yield a database of its own, with the platform's tables and no rows."""
    opened = Database(postgres.new_database())
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    """Yield the means to boot machines; skip where that can't be."""
    with Machines() as running:
        yield running


@pytest.fixture
def bare_machine(machines: Machines, request: pytest.FixtureRequest) -> Iterator[RunningMachine]:
    """Yield a bare machine that was just booted: Debian 12, or the suite that the test is parametrized with."""
    machine = machines.start("bare", getattr(request, "param", "bookworm"))
    yield machine
    machine.stop()

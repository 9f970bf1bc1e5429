"""What tests share: a private PostgreSQL for the whole run, and an empty database for each test."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from postgres import PrivatePostgres, start_postgres

from models.store.database import Database

# A shell that starts the tests in its background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


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

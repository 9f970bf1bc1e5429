"""What these tests share: seats on this machine in both isolations, an installer in a folder, and a partner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installer_samples import PYTHON, Installer
from partner_samples import Receiver, add_key, receiver
from seat_samples import Seats, ensure, seats_on_this_machine, skip_unless_possible
from store_samples import offer

from models.store.database import Database
from tasks.adapters.machine import LocalMachine


@pytest.fixture(params=["accounts", "folders"])
def empty(request: pytest.FixtureRequest) -> Iterator[Seats]:
    """Yield a platform's folder of seats before any is made."""
    skip_unless_possible(request.param)
    with seats_on_this_machine(request.param) as seats:
        yield seats


@pytest.fixture
async def seats(empty: Seats) -> Seats:
    """Return seats that are made and closed."""
    await ensure(empty)
    return empty


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    """Return an installer that keeps its notes in the test's folder, and works on `etc` there."""
    (tmp_path / "etc").mkdir()
    return Installer(LocalMachine("the machine", PYTHON), tmp_path / "state")


@pytest.fixture
def etc(tmp_path: Path, installer: Installer) -> Path:
    return tmp_path / "etc"


@pytest.fixture
async def key_id(database: Database) -> int:
    """Return the number of a partner's key, with a workshop to book."""
    await offer(database)
    return (await add_key(database))[0]


@pytest.fixture
def told() -> Iterator[Receiver]:
    """Yield a partner's receiver of webhooks."""
    with receiver() as found:
        yield found

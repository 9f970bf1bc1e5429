"""wod student: forgetting somebody who asked an operator for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import col, select

from models.tables import Booking
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def forget(settings, shop):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")} | {
        "WOD_STATE": str(settings.state_dir),
        "WOD_DATABASE_URL": settings.secret("database_url"),
    }

    def run(*arguments, answer=""):
        command = [sys.executable, "-m", "ui.cli.main", "student", "forget", *arguments]
        return subprocess.run(
            command, input=answer, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60
        )

    return run


async def addresses(shop):
    async with shop.database.transaction() as session:
        return list(await session.scalars(select(col(Booking.email)).order_by(col(Booking.id))))


async def test_a_student_is_forgotten_once_the_operator_has_said_yes(forget, shop, client):
    await shop.offer("WKSHP-A")
    for name in ("ana", "ben"):
        client.book(BookingRequest(workshop="WKSHP-A", email=f"{name}@example.org", name=name, accept_terms=True))
    refused = forget("ana@example.org", answer="n\n")
    assert refused.returncode == 1
    assert await addresses(shop) == ["ana@example.org", "ben@example.org"]
    done = forget("Ana@Example.org", answer="y\n")
    assert "session under way is being ended" in done.stdout, done.stderr
    assert await addresses(shop) == ["", "ben@example.org"]
    assert "Nothing is known of ana@example.org" in forget("ana@example.org", "--yes").stderr


@pytest.mark.parametrize("address", ["ana", "@example.org", "zoe@example.org"])
async def test_who_is_not_there_changes_nothing(forget, shop, client, address):
    await shop.offer("WKSHP-A")
    client.book(BookingRequest(workshop="WKSHP-A", email="ana@example.org", name="Ana", accept_terms=True))
    done = forget(address, "--yes")
    assert done.returncode == 1
    assert done.stderr.strip()
    assert await addresses(shop) == ["ana@example.org"]

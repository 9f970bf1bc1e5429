from __future__ import annotations

import pytest
from typer.testing import CliRunner

from models.errors import Refused
from ui.cli.booking import app

pytestmark = pytest.mark.integration


async def test_a_booking_can_be_made_from_the_command_line(shop, api):
    await shop.offer()
    arguments = ["WKSHP-Test101", "ana@example.org", "--name", "Ana Example", "--api", api.url]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    [(reference, name)] = await shop.rows("SELECT reference, name FROM booking")
    assert answer.output.strip().endswith(f"/booking?booking={reference}")
    assert name == "Ana Example"
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, Refused)
    assert again.exception.reason == "already_booked"

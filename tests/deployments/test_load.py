"""A rush at the API, short: what students are promised holds. How fast depends on the machine, and is no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_a_rush_gives_each_seat_once_and_whoever_was_told_booked_gets_one() -> None:
    options = ["--sessions", "30", "--rate", "20", "--seconds", "10", "--seats", "8", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli.main", "bench", "load", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["wrong"] == []
    assert sum(figures["answers"].values()) == 200
    assert figures["answers"]["booked"] == figures["booked"] == figures["ready"] == 8
    assert set(figures["answers"]) <= {"booked", "workshop_full", "already_booked"}
    assert figures["pages"]["answers"] > 0
    assert figures["routes"]["POST bookings"]["answers"] == 200

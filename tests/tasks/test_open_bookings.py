"""What a check has booked is known to the next one, however the check ends."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import StepFailed
from tasks.checks.open_bookings import open_bookings

ROOT = Path(__file__).parents[2]
_CHECK = """
import sys, time
from pathlib import Path
from tasks.checks.open_bookings import open_bookings
with open_bookings(Path(sys.argv[1])) as noted:
    noted.add("of-a-check-that-is-killed")
    print("booked", flush=True)
    time.sleep(60)
"""


def test_what_was_noted_is_there_until_all_have_ended(tmp_path):
    with open_bookings(tmp_path) as noted:
        assert noted.read() == []
        noted.add("first")
        noted.add("second")
    with open_bookings(tmp_path) as noted:
        assert noted.read() == ["first", "second"]
        noted.clear()
        noted.add("third")
        assert noted.read() == ["third"]
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_one_check_books_at_a_time_and_a_killed_one_hinders_nobody(tmp_path):
    command = [sys.executable, "-c", _CHECK, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as check:
        assert check.stdout
        assert check.stdout.readline() == "booked\n"
        with pytest.raises(StepFailed) as refused, open_bookings(tmp_path):
            pass
        assert refused.value.reason == "check_running"
        check.send_signal(signal.SIGKILL)
    with open_bookings(tmp_path) as noted:
        assert noted.read() == ["of-a-check-that-is-killed"]

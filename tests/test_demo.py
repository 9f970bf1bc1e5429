"""The README's first command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROMISES = [
    "The API has taken the booking",
    "The welcome mail has come",
    "The seat",
    "The credentials mail has come",
    "The hub refuses a wrong password and takes the mailed one",
    "JupyterLab has opened on 0-ReadMeFirst.ipynb",
    "cells of",
    "The reminder has come before the end",
    "The session has ended",
    "The thank-you mail has come; completion",
    "The work could be downloaded",
    "The home is wiped and the seat free again",
]


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_the_fast_demonstration_sees_every_promise_kept():
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli.main", "demo", "--fast"], cwd=ROOT, capture_output=True, text=True
    )
    seen = [line.partition("✔")[2].strip() for line in done.stdout.splitlines() if "✔" in line]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(seen) == len(PROMISES)
    assert all(promise in sentence for promise, sentence in zip(PROMISES, seen, strict=True))

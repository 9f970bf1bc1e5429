"""wod check says what it needs before it asks any machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = "deployments/examples/reference.yaml"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([REFERENCE], "Name the key that logs in to the machines: --ssh-key FILE."),
        ([REFERENCE, "--ssh-key", "key"], "There are no secrets of the stack test in"),
        (["missing.yaml", "--ssh-key", "key"], "The file can't be read"),
    ],
)
def test_what_a_check_needs(tmp_path: Path, arguments: list[str], told: str) -> None:
    command = [sys.executable, "-m", "ui.cli.main", "check", *arguments, "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert told in done.stderr
    assert not done.stdout
    assert list(tmp_path.iterdir()) == []

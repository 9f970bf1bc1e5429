"""wod user, as a process of its own at a real terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from ui_services import run_wod, wod_environment

from models.settings import Settings
from models.store.feedback import keep_feedback
from tasks.users import log_in

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


def at_terminal(settings, *arguments, types):
    """Run the command at a terminal, type a line whenever it asks; return the exit status and what was shown."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "ui.cli.main", *arguments]
    ends = {"stdin": there, "stdout": there, "stderr": there}
    running = subprocess.Popen(command, cwd=ROOT, env=wod_environment(settings), start_new_session=True, **ends)
    os.close(there)
    shown, answers = b"", list(types)
    with suppress(OSError):  # the other end is closed
        while select.select([here], [], [], 60)[0]:
            shown += os.read(here, 1000)
            if shown.endswith(b": ") and answers:
                os.write(here, answers.pop(0).encode() + b"\n")
    os.close(here)
    return running.wait(10), shown.decode()


async def test_a_user_is_added_shown_changed_and_removed(wod, shop):
    ana = ("ana", "--email", "ana@example.org", "--role", "admin", "--password-stdin")
    added = wod("user", "add", *ana, stdin=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    assert await log_in(shop.database, Settings(), "ana", PASSWORD)
    assert wod("user", "change", "ana", "--role", "user", "--role", "moderator").returncode == 0
    assert json.loads(wod("user", "list", "--json").stdout) == [
        {"username": "ana", "email": "ana@example.org", "roles": ["user", "moderator"]}
    ]
    assert wod("user", "password", "ana", "--password-stdin", stdin="quite another one\n").returncode == 0
    assert await log_in(shop.database, Settings(), "ana", PASSWORD) is None
    assert await log_in(shop.database, Settings(), "ana", "quite another one")
    assert wod("user", "remove", "ANA").returncode == 0
    assert await shop.rows("SELECT * FROM user_account") == []
    again = wod("user", "remove", "ana")
    assert (again.returncode, again.stderr) == (1, "There is no such user.\n")


async def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(shop, settings):
    arguments = ("user", "add", "ana", "--email", "ana@example.org")
    status, shown = at_terminal(settings, *arguments, types=[PASSWORD, "a slip of it", PASSWORD, PASSWORD])
    assert status == 0, shown
    assert "do not match" in shown
    assert PASSWORD not in shown
    user, _ = await log_in(shop.database, Settings(), "ana", PASSWORD)
    assert user.roles == ["user"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ana", "--email", "ana@example.org"], "--password-stdin"),
        (["ana", "--email", "ana@example.org", "--password-stdin"], "12 to 200 characters"),
        (["a b", "--email", "nowhere", "--password-stdin"], "This is not an e-mail address"),
        (["ana", "--email", "ana@example.org", "--role", "king", "--password-stdin"], "king"),
        (["ana", "--email", "ana@example.org", "--password", PASSWORD], "No such option"),
    ],
)
async def test_what_is_wrong_is_told_and_changes_nothing(wod, shop, arguments, says):
    done = wod("user", "add", *arguments, stdin="short\n")
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert await shop.rows("SELECT * FROM user_account") == []


def test_without_a_database_it_says_so(tmp_path):
    away = Settings(state_dir=tmp_path, database_url="postgresql://wod@127.0.0.1:9/wod")
    done = run_wod(away, "user", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The database of the platform does not answer. Is the platform up?\n"


async def test_feedback_is_shown_the_newest_last(wod, shop):
    assert "Nobody has said anything yet" in wod("feedback").stdout
    async with shop.database.transaction() as session:
        for word in ("first", "second", "[red]third"):
            keep_feedback(session, "ana@example.org", word)
    shown = wod("feedback", "--limit", "2").stdout
    assert "first" not in shown
    assert shown.index("second") < shown.index("[red]third")
    listed = json.loads(wod("feedback", "--json").stdout)
    assert [each["message"] for each in listed] == ["first", "second", "[red]third"]

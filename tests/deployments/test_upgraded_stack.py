"""The release before this one, installed and in use, and then this one installed over it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import until
from machine_bases import ROOT
from machines import Machines
from one_machine import WORKSHOP, OneMachine

from deployments.rehearsal.student import Student
from models.rules.passwords import derive_password

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.timeout(1800)]

# The commit of the last release, with which the API's paths had no version yet.
BEFORE, BEFORE_API = "88a3b6b", "/api"
# The hub may start again; students work through the proxy, on servers that are units of their own.
_UNTOUCHED = ("wod-proxy.service", "postgresql@15-main.service")


class Clone:
    """An operator's clone of the platform, in which releases are checked out one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        self.newest = subprocess.check_output(["git", "-C", str(folder), "rev-parse", "HEAD"], text=True).strip()

    def check_out(self, commit: str) -> None:
        subprocess.run(["git", "-C", str(self._folder), "checkout", "-q", commit], check=True)

    def install(self, stack: OneMachine) -> None:
        """Install the release on the stack, with the clone's own command and environments."""
        environment = {"HOME": os.environ.get("HOME", "/root"), "PATH": os.environ["PATH"], "COLUMNS": "200"}
        done = subprocess.run(
            [str(self._folder / "wod"), "install", str(stack.file), "--ssh-key", str(stack.machine.key)],
            env={**environment, "WOD_STATE": str(stack.state)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    known = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{BEFORE}^{{commit}}"], capture_output=True)
    if known.returncode:
        pytest.skip(f"this clone does not reach back to the release before ({BEFORE})")
    return Clone(tmp_path_factory.mktemp("operator") / "wod")


@pytest.fixture(scope="module")
def stack(clone: Clone, machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    """Yield a stack of the release before."""
    machine = machines.start("upgraded")
    stack = OneMachine(machine, tmp_path_factory.mktemp("upgraded"))
    clone.check_out(BEFORE)
    clone.install(stack)
    yield stack
    machine.stop()


async def test_bookings_seats_and_the_hub_live_through_an_upgrade(stack, clone):
    stack.api_path = BEFORE_API
    reference = stack.book("works")
    hub_url = f"https://{stack.machine.name}:8010"
    account = stack.ask(f"{BEFORE_API}/bookings/{reference}").json()["account"]
    password = derive_password(stack.secrets["password_key"], reference)
    with stack.trusted():
        async with Student(hub_url, account) as student:
            assert await student.log_in(password)
            await student.open_lab()
            units = (*_UNTOUCHED, f"jupyter-{account}-singleuser.service")
            started = stack.started(units)
            clone.check_out(clone.newest)
            installing = asyncio.create_task(asyncio.to_thread(clone.install, stack))
            while not installing.done():
                assert await student.is_served()
                await asyncio.sleep(0.5)
            await installing
            assert await student.run_notebook((await student.notebooks(WORKSHOP))[1]) > 10
            assert stack.started(units) == started
    asked = ["runuser", "-u", "postgres", "--", "psql", "-At", "-c", "SHOW log_error_verbosity"]
    assert stack.machine.run(asked, cwd="/").stdout.strip() == "terse", "what the release before had not set"
    stack.api_path = "/api/v1"
    until(lambda: stack.ask("/api/health").json()["status"] == "ok", "all is well", 60)
    assert stack.state_of(reference) == "ready"
    stack.book("comes-after")
    with stack.api() as api:
        api.delete(f"/api/v1/bookings/{reference}").raise_for_status()
    until(lambda: stack.state_of(reference) == "ended", "the seat is reset", 60)

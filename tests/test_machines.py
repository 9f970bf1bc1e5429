"""The machines that tests boot are what a provider gives, and nothing stays of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine_bases import GIVEN_BASES
from machine_slot import nspawns
from machines import Machines, RunningMachine

pytestmark = pytest.mark.machines

SUITES = ("bookworm", "trixie")
KILLED = """
import os, signal
from machines import Machines
machine = Machines().__enter__().launch("left")
print(machine.folder, machine.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def booted(machines: Machines) -> Iterator[dict[str, RunningMachine]]:
    """Yield a machine of each suite, booted at the same time."""
    launched = {suite: machines.launch(suite, suite, [f"{suite}.example"]) for suite in SUITES}
    for machine in launched.values():
        machine.wait_until_up()
    yield launched
    for machine in launched.values():
        machine.stop()
        assert not machine.folder.exists()


@pytest.mark.parametrize("suite", SUITES)
async def test_a_machine_is_like_one_from_a_provider(booted, suite):
    machine = booted[suite]
    assert machine.run(["systemctl", "is-system-running", "--wait"]).stdout.strip() == "running"
    assert f"VERSION_CODENAME={suite}" in machine.run(["cat", "/etc/os-release"]).stdout
    over_ssh = machine.ssh()
    who = await over_ssh.run([*over_ssh.python, "-c", "import os; print(os.getuid())"], timeout_seconds=20)
    assert (who.status, who.stdout) == (0, b"0\n"), who.stderr
    await over_ssh.close()
    machine.run(["apt-get", "update", "--error-on=any"])
    assert "Candidate: 1" in machine.run(["apt-cache", "policy", "postgresql"]).stdout


def test_machines_and_this_one_know_each_other(booted):
    bookworm, trixie = (booted[suite] for suite in SUITES)
    for name in (bookworm.name, "bookworm.example"):
        assert trixie.run(["getent", "hosts", name]).stdout.split()[0] == bookworm.address
        assert socket.gethostbyname(name) == bookworm.address
    assert bookworm.run(["getent", "hosts", trixie.name]).stdout.split()[0] == trixie.address


async def test_a_disconnected_machine_is_out_of_reach_until_it_is_reconnected(booted):
    machine = booted["bookworm"]
    over_ssh = machine.ssh()
    before = await over_ssh.run(["sh", "-c", "echo $PPID $SSH_CONNECTION"], timeout_seconds=20)
    machine.disconnect()
    with pytest.raises(TimeoutError):
        socket.create_connection((machine.address, 22), timeout=0.3)
    machine.reconnect()
    after = await over_ssh.run(["sh", "-c", "echo $PPID $SSH_CONNECTION"], timeout_seconds=20)
    assert after.stdout.split()[1:] == before.stdout.split()[1:]  # the same connection goes on
    await over_ssh.close()


@pytest.mark.parametrize("bare_machine", ["noble"], indirect=True)
def test_a_bare_machine_is_of_the_suite_that_a_test_names(bare_machine):
    assert "Ubuntu 24.04" in bare_machine.run(["cat", "/etc/os-release"]).stdout


def test_what_a_killed_run_left_is_cleared_by_the_next(machines: Machines):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "WOD_TEST_MACHINE_BASES": GIVEN_BASES}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder, name = killed.stdout.split()
    hosts = Path("/etc/hosts")
    assert list(nspawns(Path(folder)))
    assert name in hosts.read_text()
    with Machines():
        assert not Path(folder).exists()
        assert not list(nspawns(Path(folder)))
        assert name not in hosts.read_text()

"""A hub on a machine of its own, behind https: students' servers are units of systemd."""

from __future__ import annotations

import stat
import time
from collections.abc import AsyncIterator

import pytest
from eventually import eventually
from hub_process import TOKEN, Browser
from remote_hub import HOMES, SEAT_AGENT, UID_BASE, RemoteHub
from seat_samples import WORKSHOP, workshop

from models.errors import StepFailed
from tasks.adapters.hub import Hub, ServerState
from tasks.adapters.ssh import SshMachine
from tasks.seats import SeatPlace, ensure_seats, lock_seat, open_seat, wipe_seat

pytestmark = [pytest.mark.machines, pytest.mark.timeout(600)]

ACCOUNTS = ["student1", "student2"]


@pytest.fixture(scope="module")
def process(remote_hub: RemoteHub) -> RemoteHub:
    remote_hub.start(HUB_SEAT_MEMORY_MB=900, HUB_SEAT_CPUS=1.5)
    return remote_hub


@pytest.fixture
async def machine(process: RemoteHub) -> AsyncIterator[SshMachine]:
    reached = process.machine.ssh()
    reached.seat_agent = ("sudo", "-n", str(SEAT_AGENT))
    await ensure_seats(reached, HOMES, ACCOUNTS, owner="tests", isolation="accounts", uid_base=UID_BASE)
    yield reached
    await reached.close()


@pytest.fixture
async def hub(process: RemoteHub) -> AsyncIterator[Hub]:
    client = Hub(process.url, TOKEN, ca_file=process.ca_file)
    await client.wait_until_ready(60)
    yield client
    for account in ACCOUNTS:
        await client.delete_user(account)
    await client.close()


@pytest.fixture
async def student(process: RemoteHub) -> AsyncIterator[Browser]:
    browser = Browser(process.url, process.ca_file)
    yield browser
    await browser.close()


def place(number: int = 0) -> SeatPlace:
    """Return a seat at a generation that no test has used."""
    return SeatPlace(ACCOUNTS[number], time.time_ns() // 1_000_000, HOMES, "accounts")


async def settle(process: RemoteHub, hub: Hub, state: ServerState, seconds: float = 90) -> None:
    async def is_so() -> bool:
        return await hub.server_state("student1") is state

    await eventually(is_so, lambda: f"the server is {state}. The log:\n{process.log()[-5000:]}", seconds)


async def inactive(process: RemoteHub, account: str) -> None:
    inactive = {"ActiveState": "inactive"}
    await eventually(lambda: process.properties(account, "ActiveState") == inactive, f"{account} is stopped", 10)


async def come_in(machine: SshMachine, hub: Hub, student: Browser, seat: SeatPlace) -> str:
    """Give the seat to a student who logs in; return the page that opens."""
    await open_seat(machine, seat, "secret", workshop(None))
    await hub.ensure_user(seat.account)
    assert await student.log_in(seat.account, "secret") == ""
    return await student.lab_page(seat.account)


async def ask(student: Browser, account: str, command: str) -> str:
    """Return what a command prints that the student runs in a notebook."""
    return await student.execute(account, f"__import__('subprocess').getoutput({command!r})")


async def test_a_student_works_within_limits_and_is_gone_afterwards(
    process: RemoteHub, machine: SshMachine, hub: Hub, student: Browser
) -> None:
    seat, other = place(), place(1)
    await open_seat(machine, other, "secret of the other", workshop(None))
    page = await come_in(machine, hub, student, seat)
    assert page == f"/user/student1/lab/tree/{WORKSHOP}/0-ReadMeFirst.ipynb"
    found = process.properties("student1", "ActiveState", "MemoryMax", "CPUQuotaPerSecUSec", "User")
    assert found == {
        "ActiveState": "active",
        "MemoryMax": str(900 * 2**20),
        "CPUQuotaPerSecUSec": "1.500000s",
        "User": str(UID_BASE + 1),
    }
    log = process.root / "student/student1/.jupyter-server.log"
    assert "JupyterHubSingleUser" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "JupyterHubSingleUser" not in process.log()

    assert f"uid={UID_BASE + 1}(student1)" in await ask(student, "student1", "id")
    assert "/student/student1'" in await ask(student, "student1", "pwd")
    environment = await ask(student, "student1", "env")
    assert "nothing for students" not in environment
    assert TOKEN not in environment
    for closed in ("/etc/x", "/usr/x", "/var/x", "/student/x", "/opt/wod/x"):
        assert "Read-only" in await ask(student, "student1", f"touch {closed}")
    assert "Permission denied" in await ask(student, "student1", "ls /student/student2")
    assert "jupyterhub -f" not in await ask(student, "student1", "ps -ef")
    assert "no new privileges" in await ask(student, "student1", "sudo -n id")
    # Nobody else on the machine can reach a kernel, of whatever language.
    assert "-ipc-" in await ask(student, "student1", "ls /tmp/jupyter")
    assert "jupyter" not in process.machine.run(["ls", "/tmp"]).stdout.split()
    assert await ask(student, "student1", "touch ~/mine /tmp/mine /dev/shm/mine") == "''"
    assert (process.root / "student/student1/mine").exists()
    for scratch in ("tmp", "dev/shm"):
        assert "mine" not in process.machine.run(["ls", f"/{scratch}"]).stdout

    assert await lock_seat(machine, seat) is True
    await inactive(process, "student1")
    assert await student.status("student1") != 200
    assert await hub.delete_user("student1") is True
    assert await wipe_seat(machine, seat) is True
    assert "mine" not in process.machine.run(["find", "/tmp", "/student/student1"]).stdout

    await open_seat(machine, place(), "another secret", workshop(None))
    await hub.ensure_user("student1")
    assert await hub.start_server("student1") is True
    await settle(process, hub, ServerState.READY)
    assert await student.status("student1") != 200, "the log-in of the student before still works"


async def test_students_work_on_while_the_hub_is_killed_and_restarted(
    process: RemoteHub, machine: SshMachine, hub: Hub, student: Browser
) -> None:
    await come_in(machine, hub, student, place())
    before = process.properties("student1", "MainPID")
    process.machine.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "wod-hub"])
    assert await student.status("student1") == 200
    await hub.wait_until_ready(60)
    await settle(process, hub, ServerState.READY)
    process.machine.run(["systemctl", "restart", "wod-hub"])
    await hub.wait_until_ready(60)
    await settle(process, hub, ServerState.READY)
    assert await student.execute("student1", "1 + 1") == "2"
    assert process.properties("student1", "MainPID") == before


async def test_a_server_that_is_not_used_is_stopped(process: RemoteHub, machine: SshMachine, hub: Hub) -> None:
    process.start(HUB_IDLE_MINUTES=0.5)
    await hub.wait_until_ready(60)
    await open_seat(machine, place(), "secret", workshop(None))
    await hub.ensure_user("student1")
    await hub.start_server("student1")
    await settle(process, hub, ServerState.READY)
    # The hub forgets nobody for being idle: the student logs in again, and the server starts anew.
    await settle(process, hub, ServerState.STOPPED)
    assert "idle-culler" in process.log()
    assert await hub.ensure_user("student1") is False
    await inactive(process, "student1")
    process.start(HUB_SEAT_MEMORY_MB=900, HUB_SEAT_CPUS=1.5)
    await hub.wait_until_ready(60)


async def test_a_hub_whose_certificate_is_not_trusted_is_not_talked_to(process: RemoteHub) -> None:
    stranger = Hub(process.url, TOKEN)
    with pytest.raises(StepFailed) as raised:
        await stranger.ensure_user("student1")
    assert raised.value.reason == "hub_unreachable"
    assert "certificate" in raised.value.detail
    await stranger.close()

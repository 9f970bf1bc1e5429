"""JupyterHub as configured for seats, with real log-ins and servers, and the engine's client of it."""

from __future__ import annotations

import asyncio
import signal
import stat
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from eventually import until
from hub_process import TOKEN, Browser, HubProcess, hub_of, log_in
from seat_samples import (
    WORKSHOP,
    Seats,
    ensure,
    living,
    seats_on_this_machine,
    skip_unless_possible,
    workshop,
)

from models.errors import StepFailed
from tasks.adapters.hub import Hub, ServerState
from tasks.seats import lock_seat, open_seat, wipe_seat

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

FAULTY = """
import asyncio
from pathlib import Path

class FaultySpawner(c.JupyterHub.spawner_class):
    async def start(self):
        fault = (Path(__file__).parent / "fault").read_text()
        if fault == "fails":
            raise RuntimeError("no server today")
        if fault == "dies":
            self.cmd = ["/bin/false"]
        if fault == "hangs":
            await asyncio.sleep(3600)
        return await super().start()

c.JupyterHub.spawner_class = FaultySpawner
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 2}
"""


@pytest.fixture(scope="module", params=["accounts", "folders"])
def process(request: pytest.FixtureRequest) -> Iterator[HubProcess]:
    """Yield a hub that runs, one for all tests of an isolation."""
    skip_unless_possible(request.param)
    with seats_on_this_machine(request.param, number=20) as seats, hub_of(seats, FAULTY) as hub:
        asyncio.run(ensure(seats))
        set_fault(hub, "none")
        hub.start_proxy()
        hub.start_hub()
        yield hub


@pytest.fixture
def seats(process: HubProcess) -> Seats:
    """Return two seats that no test has used yet."""
    return process.seats.only(next(process.numbers), next(process.numbers))


@pytest.fixture
async def hub(process: HubProcess, seats: Seats) -> AsyncIterator[Hub]:
    client = Hub(process.url, TOKEN)
    await client.wait_until_ready(30)
    yield client
    set_fault(process, "none")
    for account in seats.accounts:
        await client.delete_user(account)
    await client.close()


def set_fault(process: HubProcess, fault: str) -> None:
    (process.folder / "fault").write_text(fault)


async def settle(hub: Hub, account: str, state: ServerState) -> None:
    deadline = time.monotonic() + 40
    while (found := await hub.server_state(account)) is not state:
        assert time.monotonic() < deadline, f"{account} stays {found}"
        await asyncio.sleep(0.1)


def servers(seats: Seats, seat: int = 0) -> list[psutil.Process]:
    """Return the living Jupyter servers of a seat."""
    home = str(seats.homes / seats.accounts[seat])
    found = []
    for pid in living(seats.student(seat)):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if "jupyterhub-singleuser" in str(process.cmdline()) and process.environ()["HOME"] == home:
                found.append(process)
    return found


async def test_a_student_works_and_is_gone_afterwards(seats: Seats, process: HubProcess, hub: Hub) -> None:
    first, second = seats.accounts
    running = "JupyterHub is now running"  # which it says a moment after its first answer
    await asyncio.to_thread(until, lambda: running in process.log.read_text(), running)
    began = process.log.read_text().partition(running)[0]
    assert "[W " not in began
    assert "Warning" not in began
    for number in (0, 1):
        await open_seat(seats.machine, seats.place(1, number), f"Secret-{number}", workshop(None))
    student, other = Browser(process.url), Browser(process.url)

    assert await student.log_in(first, "Secret-0") != "", "a user that the engine has not made got in"
    assert await hub.ensure_user(first) is True
    assert await hub.ensure_user(first) is False
    assert await hub.ensure_user(second) is True
    assert await student.log_in(first, "Secret-1") != ""
    assert await student.log_in("root", "Secret-0") != ""
    assert await student.log_in(f" {first} ", " Secret-0 ") == ""
    assert await student.lab_page(first) == f"/user/{first}/lab/tree/{WORKSHOP}/0-ReadMeFirst.ipynb"
    assert await hub.server_state(first) is ServerState.READY
    assert await student.status(first) == 200
    assert await student.execute(first, "1 + 1") == "2"

    [server] = servers(seats)
    assert server.cwd() == str(seats.home)
    assert {server.uids().real, server.uids().effective} == {seats.student()}
    assert "nothing for students" not in str(server.environ())
    assert TOKEN not in str(server.environ())
    assert stat.S_IMODE((seats.home / ".jupyter-server.log").stat().st_mode) == 0o600
    [connection] = (seats.home / ".local/share/jupyter/runtime").glob("kernel-*.json")
    assert "curve_publickey" in connection.read_text(), "students on this machine could listen to the kernel"

    assert await other.log_in(second, "Secret-1") == ""
    page = await other.client.get(f"/user/{first}/lab")
    assert page.status_code in (403, 404)
    assert (await other.client.get(f"/user/{first}/api/status")).status_code in (403, 404)
    assert (await other.client.delete(f"/hub/api/users/{first}")).status_code in (403, 404)

    assert await hub.delete_user(first) is True
    assert servers(seats) == []
    assert await student.status(first) != 200
    assert (await student.client.get("/hub/home")).url.path == "/hub/login"
    assert await log_in(process.url, first, "Secret-0") != ""
    assert await hub.delete_user(first) is False

    await lock_seat(seats.machine, seats.place(1))
    await wipe_seat(seats.machine, seats.place(1))
    await open_seat(seats.machine, seats.place(2), "Secret-2", workshop(None))
    await hub.ensure_user(first)
    assert await log_in(process.url, first, "Secret-0") != ""
    assert (await student.client.get("/hub/home")).url.path == "/hub/login"
    assert await hub.start_server(first) is True
    await settle(hub, first, ServerState.READY)
    assert await student.status(first) != 200
    assert await log_in(process.url, first, "Secret-2") == ""
    await student.close()
    await other.close()


async def test_a_locked_seat_lets_nobody_in_though_the_hub_still_knows_the_user(
    seats: Seats, process: HubProcess, hub: Hub
) -> None:
    account = seats.accounts[0]
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    await hub.ensure_user(account)
    await lock_seat(seats.machine, seats.place(1))
    assert await log_in(process.url, account, "secret") != ""
    assert await log_in(process.url, account, "") != ""


async def test_the_address_that_log_ins_fail_from_is_not_what_a_stranger_says(
    process: HubProcess, hub: Hub
) -> None:
    lies = {"X-Real-Ip": "203.0.113.77", "X-Forwarded-For": "203.0.113.88"}
    guess = {"username": "student1", "password": "wrong"}
    async with httpx.AsyncClient(base_url=process.url, headers=lies) as stranger:
        assert (await stranger.post("/hub/login", data=guess)).status_code == 403
    # As the firewall of a stack's machine has seats come.
    seats_way = httpx.AsyncHTTPTransport(local_address="127.0.0.3")
    async with httpx.AsyncClient(transport=seats_way, headers=lies) as seat:
        assert (await seat.post(f"http://127.0.0.1:{process.hub}/hub/login", data=guess)).status_code == 403
    told = process.log.read_text()
    assert "403 POST /hub/login (@127.0.0.1)" in told
    assert "403 POST /hub/login (@127.0.0.3)" in told
    assert "203.0.113." not in told


async def test_students_work_on_while_the_hub_is_killed_and_restarted(
    seats: Seats, process: HubProcess, hub: Hub
) -> None:
    account = seats.accounts[0]
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    await hub.ensure_user(account)
    student = Browser(process.url)
    assert await student.log_in(account, "secret") == ""
    await student.lab_page(account)
    [server] = servers(seats)

    process.stop("hub", signal.SIGKILL)
    assert await student.status(account) == 200
    with pytest.raises(StepFailed) as raised:
        await hub.server_state(account)
    assert raised.value.reason == "hub_unreachable"
    process.start_hub()
    await hub.wait_until_ready(30)
    assert await hub.server_state(account) is ServerState.READY
    assert await student.status(account) == 200
    assert [each.pid for each in servers(seats)] == [server.pid]

    process.stop("hub", signal.SIGTERM)
    assert await student.status(account) == 200
    process.start_hub()
    await hub.wait_until_ready(30)
    assert await hub.delete_user(account) is True
    assert servers(seats) == []
    await student.close()


async def test_a_hub_that_restarts_never_signals_a_process_that_took_the_servers_number(
    seats: Seats, process: HubProcess, hub: Hub
) -> None:
    account = seats.accounts[0]
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    await hub.ensure_user(account)
    await hub.start_server(account)
    await settle(hub, account, ServerState.READY)
    [server] = servers(seats)
    process.stop("hub", signal.SIGKILL)
    server.kill()
    bystander = seats.start("sleep", "300")
    state = process.folder / "state/jupyterhub.sqlite"
    until(lambda: not servers(seats), "the server is gone")
    _point_at(state, server.pid, bystander.pid)
    process.start_hub()
    await hub.wait_until_ready(30)
    await settle(hub, account, ServerState.STOPPED)
    await hub.delete_user(account)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def _point_at(database: Path, old: int, new: int) -> None:
    import sqlite3

    with sqlite3.connect(database) as connection:
        changed = connection.execute(
            "UPDATE spawners SET state = replace(state, ?, ?)", (f'"pid": {old}', f'"pid": {new}')
        )
        assert changed.rowcount == 1
    connection.close()


@pytest.mark.parametrize("fault", ["fails", "dies", "hangs"])
async def test_a_server_that_does_not_come_up_can_be_forgotten(
    seats: Seats, process: HubProcess, hub: Hub, fault: str
) -> None:
    account = seats.accounts[0]
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    await hub.ensure_user(account)
    set_fault(process, fault)
    if fault == "hangs":
        assert await hub.start_server(account) is True
        assert await hub.server_state(account) is ServerState.STARTING
        assert await hub.start_server(account) is True
    else:
        with pytest.raises(StepFailed) as raised:
            await hub.start_server(account)
        assert raised.value.reason == "spawn_failed"
    begun = time.monotonic()
    assert await hub.delete_user(account, timeout_seconds=20) is True
    assert time.monotonic() - begun < 20
    set_fault(process, "none")
    await hub.ensure_user(account)
    assert await hub.start_server(account) is True
    await settle(hub, account, ServerState.READY)
    assert await hub.start_server(account) is False


async def test_only_a_hub_with_our_token_is_up() -> None:
    with seats_on_this_machine("folders", number=1) as seats, hub_of(seats) as process:
        await ensure(seats)
        client, stranger = Hub(process.url, TOKEN), Hub(process.url, "another token")
        for is_proxy_up in (False, True):
            if is_proxy_up:
                process.start_proxy()
            with pytest.raises(StepFailed) as raised:
                await client.wait_until_ready(1)
            assert raised.value.reason == "hub_unreachable"
            assert TOKEN not in str(raised.value.__dict__)
        process.start_hub()
        await client.wait_until_ready(30)
        with pytest.raises(StepFailed) as raised:
            await stranger.wait_until_ready(1)
        assert raised.value.reason == "hub_refused"
        with pytest.raises(StepFailed) as raised:
            await client.ensure_user(f"no such/../{seats.accounts[0]}")
        assert raised.value.reason == "hub_refused"
        await client.close()
        await stranger.close()


async def test_a_home_that_lies_about_its_workshop_opens_on_the_lab(
    seats: Seats, process: HubProcess, hub: Hub
) -> None:
    account = seats.accounts[0]
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    (seats.home / WORKSHOP / "0-ReadMeFirst.ipynb").unlink()
    (seats.home / "A-link").symlink_to("/")
    odd = seats.write("B {x} %2e%2e é\n'\"/0-ReadMeFirst.ipynb", "{}")
    (seats.home / ".jupyter-server.log").symlink_to(odd)
    await hub.ensure_user(account)
    student = Browser(process.url)
    assert await student.log_in(account, "secret") == ""
    assert await student.lab_page(account) == f"/user/{account}/lab/tree/{odd.parent.name}/0-ReadMeFirst.ipynb"
    assert odd.read_text() == "{}"
    await student.close()

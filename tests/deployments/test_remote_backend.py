"""A platform whose only backend is another machine, which it may work on by the seat agent alone."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from hub_process import Browser
from remote_hub import HOMES, SEAT_AGENT, UID_BASE, RemoteHub

from deployments.rehearsal.maildir import credentials_of
from deployments.rehearsal.own_platform import OwnPlatform, own_platform
from models.errors import StepFailed
from models.rules.booking import MailKind
from models.rules.passwords import hub_token
from tasks.adapters.hub import Hub

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.timeout(900)]

WORKSHOP = "WKSHP-Python-First-Steps"
MASTER = "the master of all hubs' tokens"
BACKEND = "be1.example.org"
LOGIN = "wodmgr"


@pytest.fixture
def platform(remote_hub: RemoteHub, tmp_path: Path) -> Iterator[OwnPlatform]:
    """Yield a platform that is up while its backend does not let anybody in yet."""
    machine = remote_hub.machine
    remote_hub.let_in(LOGIN)
    remote_hub.start(hub_token(MASTER, BACKEND))
    machine.ssh()
    backend = {
        "name": BACKEND,
        "number": 1,
        "hub_url": remote_hub.url,
        "hub_api_url": remote_hub.url,
        "machine": f"{LOGIN}@{machine.address}",
        "seats": 3,
        "homes": str(HOMES),
        "isolation": "accounts",
        "uid_base": UID_BASE + 100,
        "seat_agent": str(SEAT_AGENT),
    }
    listed = tmp_path / "backends.yaml"
    listed.write_text(json.dumps({"backends": [backend]}))
    machine.run(["systemctl", "stop", "ssh.service", "ssh.socket"], check=False)
    with own_platform(
        backends_file=listed,
        ssh_key_file=machine.key,
        ssh_known_hosts_file=machine.folder / "known_hosts",
        ca_file=remote_hub.ca_file,
        hub_token=MASTER,
        seat_prefix="seat",
        hour_seconds=600,
        retry_longest_seconds=2,
    ) as running:
        yield running


async def comes_so(condition: Callable[[], object], log: Path) -> None:
    """Wait until the condition holds, which is asked for in a thread of its own."""
    await eventually(
        lambda: asyncio.to_thread(condition), lambda: f"it comes so. The log:\n{log.read_text()[-5000:]}", 120
    )


async def test_a_booking_is_served_on_another_machine(platform: OwnPlatform, remote_hub: RemoteHub) -> None:
    machine = remote_hub.machine

    def ask(method: str, path: str, **options: object) -> dict:  # type: ignore[type-arg]
        return httpx.request(method, f"{platform.api_url}/api/{path}", **options).json()  # type: ignore[no-any-return, arg-type]

    # Away: nobody is sent there, and it is told why.
    wish = {"workshop": WORKSHOP, "email": "a@example.org", "name": "Ana", "accept_terms": True}
    assert ask("POST", "v1/bookings", json=wish)["reason"] == "workshop_full"
    health = ask("GET", "health")
    assert (health["status"], BACKEND in health["parts"]["backends"]["message"]) == ("degraded", True)
    with pytest.raises(StepFailed, match="can't be reached over ssh"):
        platform.wod("status", "--json")

    # Back: its seats are made without anybody's doing.
    machine.run(["systemctl", "start", "ssh.service"])
    log = platform.layout.log("engine")
    await comes_so(lambda: ask("GET", "health")["status"] == "ok", log)
    [found] = platform.status()["backends"]
    assert (found["name"], found["seats"], found["is_ready"]) == (BACKEND, 3, True)
    assert f"uid={UID_BASE + 101}(seat1)" in machine.run(["id", "seat1"]).stdout

    reference = ask("POST", "v1/bookings", json=wish)["reference"]
    mail = await platform.mailbox.wait_for(MailKind.CREDENTIALS, "a@example.org", 60)
    credentials = credentials_of(mail)
    assert credentials.session_url.startswith(remote_hub.url)
    home = remote_hub.root / "student" / credentials.username
    assert (home / WORKSHOP / "0-ReadMeFirst.ipynb").is_file()
    student = Browser(remote_hub.url, remote_hub.ca_file)
    assert await student.log_in(credentials.username, credentials.password) == ""
    assert WORKSHOP in await student.lab_page(credentials.username)
    asked = "__import__('subprocess').getoutput('echo done > ~/done; id -un')"
    assert credentials.username in await student.execute(credentials.username, asked)
    assert (home / "done").read_text() == "done\n"

    ask("DELETE", f"v1/bookings/{reference}")
    await comes_so(lambda: ask("GET", f"v1/bookings/{reference}")["state"] == "ended", log)
    assert not list(home.glob("WKSHP-*"))
    assert not (home / "done").exists()
    assert await student.status(credentials.username) != 200
    assert await student.log_in(credentials.username, credentials.password) != ""
    await student.close()
    [archive] = (platform.layout.state / "archives").glob("*.zip")
    assert f"{WORKSHOP}/0-ReadMeFirst.ipynb" in zipfile.ZipFile(archive).namelist()

    # The platform's own token is of no use at a backend's hub.
    impostor = Hub(remote_hub.url, MASTER, ca_file=remote_hub.ca_file)
    with pytest.raises(StepFailed) as refused:
        await impostor.ensure_user("anybody")
    assert refused.value.reason == "hub_refused"
    await impostor.close()

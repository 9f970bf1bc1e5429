"""A real JupyterHub behind its real proxy, for tests."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from eventually import until
from seat_samples import NOBODY, Seats
from websockets.asyncio.client import connect

ROOT = Path(__file__).parents[1]
MADE = Path(os.environ.get("WOD_HOME", ROOT / ".wod"))
CONFIGURATION = ROOT / "deployments/hub"
TOKEN, PROXY_TOKEN = "the-engines-token", "the-proxys-token"


class HubProcess:
    """A hub and its proxy, with the rights that go with the seats' isolation."""

    def __init__(self, seats: Seats, extra_config: str = "") -> None:
        self.seats = seats
        self.folder = seats.homes.parent / "hub"
        self.log = self.folder / "hub.log"
        self.extra_config = extra_config
        self.public, self.hub, self.proxy_api = (_free_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{self.public}"
        self.numbers = count()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        secrets = self.folder / "secrets"
        secrets.mkdir(parents=True, mode=0o700)
        (secrets / "wod_hub_token").write_text(TOKEN)
        (secrets / "wod_proxy_token").write_text(PROXY_TOKEN)
        (self.folder / "extra.py").write_text(extra_config)
        # The account that the hub runs as may not be able to read this clone.
        shutil.copytree(CONFIGURATION, self.folder / "configuration", ignore=shutil.ignore_patterns("__pycache__"))
        self._give()

    def start_proxy(self) -> None:
        node = shutil.which("node") or str(MADE / "proxy/node")
        script = MADE / "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
        target = f"http://127.0.0.1:{self.hub}"
        here = ["--ip", "127.0.0.1", "--port", self.public, "--api-ip", "127.0.0.1", "--api-port", self.proxy_api]
        to = ["--default-target", target, "--error-target", f"{target}/hub/error"]
        self._start("proxy", [node, script, *here, *to], {"CONFIGPROXY_AUTH_TOKEN": PROXY_TOKEN})
        until(lambda: _listens(self.public), "the proxy listens")

    def start_hub(self) -> None:
        environment = {
            "HUB_BIND_URL": self.url,
            "HUB_API_URL": f"http://127.0.0.1:{self.hub}",
            "HUB_PROXY_API_URL": f"http://127.0.0.1:{self.proxy_api}",
            "HUB_STATE_DIR": str(self.folder / "state"),
            "HUB_SECRETS_DIR": str(self.folder / "secrets"),
            "HUB_HOMES": str(self.seats.homes),
            "HUB_ISOLATION": self.seats.isolation,
            "HUB_EXTRA_CONFIG": str(self.folder / "extra.py") if self.extra_config else "",
            "A_SECRET_OF_THE_HUB": "nothing for students",
        }
        python = MADE / "hub-env/bin/python"
        config = self.folder / "configuration/jupyterhub_config.py"
        self._start("hub", [python, "-m", "jupyterhub", "-f", config], environment)

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        self.processes[name].send_signal(number)
        self.processes[name].wait(20)

    def stop_all(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(20)

    def _start(self, name: str, argv: list[Any], environment: dict[str, str]) -> None:
        is_dropped = self.seats.uid != os.geteuid()
        as_other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_dropped else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in argv],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_other,
            )

    def _give(self) -> None:
        if self.seats.uid != os.geteuid():
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.seats.uid, self.seats.uid)


@contextmanager
def hub_of(seats: Seats, extra_config: str = "") -> Iterator[HubProcess]:
    """Yield a hub that is not started yet."""
    if not (MADE / "hub-env/bin/jupyterhub").exists():
        pytest.skip("the hub's environment is not made")
    if not (MADE / "proxy/node_modules/configurable-http-proxy").exists():
        pytest.skip("the hub's proxy is not installed")
    hub = HubProcess(seats, extra_config)
    try:
        yield hub
    finally:
        hub.stop_all()


class Browser:
    """A student's browser, as far as it takes to log in and work."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self.url = url
        self.trust = ssl.create_default_context(cafile=ca_file)
        self.client = httpx.AsyncClient(
            base_url=url, follow_redirects=True, timeout=30, trust_env=False, verify=self.trust
        )

    async def log_in(self, name: str, password: str) -> str:
        """Fill in the log-in page; return the message that it answers with, empty when it let us in."""
        page = await self.client.get("/hub/login")
        token = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
        assert token, page.text
        form = {"username": name, "password": password, "_xsrf": token[1]}
        answer = await self.client.post("/hub/login", params={"_xsrf": token[1]}, data=form)
        if answer.status_code == 200 and "login" not in answer.url.path:
            return ""
        message = re.search(r'class="login_error">([^<]*)<', answer.text)
        return html.unescape(message[1]).strip() if message else f"HTTP {answer.status_code}"

    async def lab_page(self, name: str) -> str:
        """Wait for JupyterLab; return the path that it opens on."""
        for _ in range(300):
            answer = await self.client.get(f"/user/{name}/")
            if answer.status_code == 200 and "/lab" in answer.url.path:
                return answer.url.path
            await asyncio.sleep(0.1)
        raise AssertionError(f"JupyterLab never came up: {answer.status_code} {answer.url}")

    async def status(self, name: str) -> int:
        """Return what a student's server answers at its API, or the hub in its place."""
        answer = await self.client.get(f"/user/{name}/api/status", follow_redirects=False)
        return answer.status_code

    async def execute(self, name: str, code: str) -> str:
        """Run code in a new kernel of the student's server and return its text result."""
        base = f"/user/{name}/api/kernels"
        xsrf = next(each.value for each in self.client.cookies.jar if each.name == "_xsrf" and name in each.path)
        started = await self.client.post(base, headers={"X-XSRFToken": xsrf or ""}, json={"name": "python3"})
        assert started.status_code == 201, started.text
        path = f"{base}/{started.json()['id']}/channels"
        request = self.client.build_request("GET", path)
        message = {
            "header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "s",
                       "version": "5.3"},
            "parent_header": {}, "metadata": {}, "channel": "shell",
            "content": {"code": code, "silent": False},
        }  # fmt: skip
        address = self.url.replace("http", "ws") + path
        headers = {"Cookie": request.headers["cookie"]}
        trust = self.trust if address.startswith("wss") else None
        async with connect(address, additional_headers=headers, ssl=trust) as socket_:
            await socket_.send(json.dumps(message))
            async for text in socket_:
                answer = json.loads(text)
                if answer["msg_type"] == "execute_result":
                    return str(answer["content"]["data"]["text/plain"])
                assert answer["msg_type"] != "error", answer
        raise AssertionError("the kernel went away")

    async def close(self) -> None:
        await self.client.aclose()


async def log_in(url: str, name: str, password: str) -> str:
    """Log in with a browser that is closed at once; return the message, empty when it let us in."""
    browser = Browser(url)
    try:
        return await browser.log_in(name, password)
    finally:
        await browser.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

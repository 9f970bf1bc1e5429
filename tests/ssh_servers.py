"""Servers of ssh for tests: one of our own, and OpenSSH's."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from eventually import eventually

from tasks.adapters.ssh import SshMachine

QUICK = 20.0


class Keys:
    """A server's key, a client's key, and the client's list of known machines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server, self.client = folder / "server_key", folder / "client_key"
        for path in (self.server, self.client):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(path)
            key.write_public_key(f"{path}.pub")
            path.chmod(0o600)

    def machine(self, port: int, known_key: Path | None = None) -> SshMachine:
        known = self.folder / f"known_hosts_{port}"
        public = Path(f"{known_key or self.server}.pub").read_text()
        known.write_text(f"[127.0.0.1]:{port} {public}")
        address = f"{getpass.getuser()}@127.0.0.1:{port}"
        return SshMachine("the machine", address, known_hosts=known, client_key=self.client)


class Served:
    """A command that our server runs for a client."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.has_ended = asyncio.Event()

    async def run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        try:
            await self._run(process)
        finally:
            self.has_ended.set()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.process = child = await asyncio.create_subprocess_shell(
            process.command or "",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert child.stdin
        assert child.stdout
        assert child.stderr
        feeding = asyncio.create_task(pump(process.stdin, child.stdin))
        feeding.add_done_callback(lambda _: child.stdin and child.stdin.close())
        await asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
        status = await child.wait()
        feeding.cancel()
        process.exit(status if status >= 0 else 128 - status)

    async def end(self) -> None:
        if self.process and not self.has_ended.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.has_ended.wait()


async def pump(source: Any, target: Any) -> None:
    while data := await source.read(65536):
        with suppress(ConnectionError):
            target.write(data)
            await target.drain()


@asynccontextmanager
async def ssh_server(keys: Keys, port: int = 0) -> AsyncIterator[int]:
    connections: list[asyncssh.SSHServerConnection] = []
    served: list[Served] = []

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        served.append(Served())
        await served[-1].run(process)

    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(keys.server)],
        authorized_client_keys=f"{keys.client}.pub",
        process_factory=serve,
        acceptor=connections.append,
        encoding=None,
    )
    async with server:
        yield server.get_port()
        for connection in connections:
            connection.abort()
        for each in served:
            await each.end()


def openssh_obstacle() -> str:
    if not shutil.which("sshd", path="/usr/sbin:/usr/bin"):
        return "OpenSSH's server is not installed"
    if Path(pwd.getpwuid(os.geteuid()).pw_shell).name in ("nologin", "false"):
        return "this account has no shell"
    if os.geteuid() == 0:
        if "sshd" not in {user.pw_name for user in pwd.getpwall()}:
            return "OpenSSH's server has no account"
        shadow = Path("/etc/shadow").read_text().splitlines()
        if any(line.startswith("root:!") for line in shadow):
            return "root is locked"
    return ""


@asynccontextmanager
async def openssh_server(keys: Keys) -> AsyncIterator[int]:
    if obstacle := openssh_obstacle():
        pytest.skip(obstacle)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    config = keys.folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys.server}\nAuthorizedKeysFile {keys.client}.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = await asyncio.create_subprocess_exec(
        "/usr/sbin/sshd", "-D", "-e", "-f", config, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await eventually(lambda: answers(port), "sshd listens", QUICK)
        yield port
    finally:
        server.kill()
        await server.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

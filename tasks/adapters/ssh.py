"""Running commands on another machine, over one ssh connection that is kept and renewed."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import asyncssh

from models.errors import StepFailed
from tasks.adapters.machine import Completed, OnLine, delivery, exit_status, read_lines, timed_out

# OpenSSH's own limit of sessions on a connection (MaxSessions) is 10; some are left for people.
SESSIONS_AT_ONCE = 8
CONNECT_SECONDS = 15
# Beginning a command on a connection that is there. One that is frozen would take KEEPALIVE_SECONDS times four.
SESSION_SECONDS = 15
KEEPALIVE_SECONDS = 10
# What a command may take longer than its time until its end is known here.
GRACE_SECONDS = 10


class SshMachine:
    """A machine reached over ssh as `user@host` or `user@host:port`, by key, its own key being known.

    `known_hosts` is required: a machine with another key than written there is not talked to. `client_key`
    is a private key file. Commands run with the rights of the user; `python` and
    `seat_agent` may begin with sudo.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        known_hosts: Path,
        client_key: Path,
        python: Sequence[str] = ("python3",),
        seat_agent: Sequence[str] = (),
    ) -> None:
        target = urlsplit(f"//{address}")
        self.name = name
        self.python = python
        self.seat_agent = seat_agent
        self._host = target.hostname or ""
        self._port = target.port or 22
        self._username = target.username or ()
        self._known_hosts = known_hosts
        self._client_key = client_key
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS_AT_ONCE)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        stdout_to: Path | None = None,
        on_line: OnLine | None = None,
        timeout_seconds: float,
    ) -> Completed:
        """Run a command as `Machine.run` promises.

        The machine itself ends a command that takes too long, so also when the connection is lost.
        """
        # exec, so that `timeout` leads the session and a signal sent to it reaches the command's children.
        command = "exec " + shlex.join(["timeout", "-k", "2", f"{timeout_seconds:.3f}", *argv])
        async with self._sessions:
            with delivery(stdout_to) as output:
                process = await self._start(command, output.file or asyncssh.PIPE)
                started = monotonic()
                try:
                    async with asyncio.timeout(timeout_seconds + GRACE_SECONDS):
                        with suppress(BrokenPipeError, ConnectionResetError):
                            process.stdin.write(stdin)
                            process.stdin.write_eof()
                        stderr = await _hand_over_lines(process, on_line) if on_line else b""
                        ended = await process.wait()
                except BaseException as error:
                    process.terminate()
                    process.close()
                    if isinstance(error, TimeoutError):
                        raise timed_out(argv, self.name, timeout_seconds) from None
                    raise
                if ended.returncode is None:
                    raise self._unreachable("The connection was lost while a command ran.")
                status = exit_status(ended.returncode)
                if status in (124, 137) and monotonic() - started >= timeout_seconds:
                    raise timed_out(argv, self.name, timeout_seconds)
                output.is_whole = status == 0
                return Completed(status, _bytes(ended.stdout), stderr + _bytes(ended.stderr))

    async def close(self) -> None:
        """Close the connection; the next command opens another."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None

    async def _start(
        self, command: str, stdout: object, may_reconnect: bool = True
    ) -> asyncssh.SSHClientProcess[bytes]:
        connection = await self._connected()
        try:
            async with asyncio.timeout(SESSION_SECONDS):
                return await connection.create_process(command, encoding=None, stdout=stdout)
        except TimeoutError:
            connection.abort()  # what else runs on it would be lost later
            if self._connection is connection:
                self._connection = None
            raise self._unreachable(f"No command could be begun within {SESSION_SECONDS} s.") from None
        except (asyncssh.Error, OSError) as error:
            if may_reconnect and connection.is_closed():  # it was lost, and nothing was started
                return await self._start(command, stdout, may_reconnect=False)
            raise self._unreachable(str(error)) from None

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                try:
                    self._connection = await asyncssh.connect(
                        self._host,
                        self._port,
                        username=self._username,
                        known_hosts=str(self._known_hosts),
                        client_keys=[str(self._client_key)],
                        preferred_auth="publickey",
                        agent_path=None,
                        config=None,
                        connect_timeout=CONNECT_SECONDS,
                        login_timeout=CONNECT_SECONDS,
                        keepalive_interval=KEEPALIVE_SECONDS,
                        keepalive_count_max=3,
                    )
                except (asyncssh.Error, OSError, ValueError) as error:
                    raise self._unreachable(str(error) or type(error).__name__) from None
            return self._connection

    def _unreachable(self, detail: str) -> StepFailed:
        return StepFailed(
            f"{self.name} ({self._host}:{self._port}) can't be reached over ssh. Look at the machine, at the"
            f" key {self._client_key.name}, and at the machine's own key in {self._known_hosts.name}.",
            reason="machine_unreachable",
            detail=detail,
        )


async def _hand_over_lines(process: asyncssh.SSHClientProcess[bytes], on_line: OnLine) -> bytes:
    errors = asyncio.create_task(process.stderr.read())
    try:
        with suppress(asyncssh.Error, ConnectionError):  # the connection is lost, which the caller sees
            await read_lines(process.stdout.read, on_line)
            return await errors
        return b""
    finally:
        errors.cancel()
        await asyncio.gather(errors, return_exceptions=True)


def _bytes(output: bytes | str | None) -> bytes:
    return output.encode() if isinstance(output, str) else output or b""

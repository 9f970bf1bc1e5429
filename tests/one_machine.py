"""A machine of the tests that is the shipped stack of one machine, and what its operator does with it."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from eventually import until
from machine_bases import ROOT
from machines import RunningMachine
from ruamel.yaml import YAML

WORKSHOP = "WKSHP-Python-First-Steps"


class OneMachine:
    """A machine that is a whole stack, and its operator."""

    def __init__(self, machine: RunningMachine, folder: Path) -> None:
        self.machine, self.state = machine, folder / "state"
        self.api_path = "/api/v1"
        self.file = folder / "stack.yaml"
        text = (ROOT / "deployments/examples/one-machine.yaml").read_text()
        # TeX takes longer than all the rest.
        text = text.replace("number: 1", "number: 1\n    pdf_export: false")
        self.file.write_text(text.replace("wod.local", machine.name) + "workshops:\n  - labs\n")
        shutil.copytree(ROOT / "deployments/workshops" / WORKSHOP, folder / "labs" / WORKSHOP)

    def wod(self, *arguments: str, status: int = 0) -> str:
        """Run a command of `wod` on the stack; return what it writes, to stderr when it fails."""
        command = [sys.executable, "-m", "ui.cli.main", arguments[0], str(self.file), *arguments[1:]]
        done = subprocess.run(
            [*command, "--ssh-key", str(self.machine.key)],
            cwd=ROOT,
            env={**os.environ, "WOD_STATE": str(self.state), "COLUMNS": "200"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, f"{arguments}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stderr if status else done.stdout

    def backups(self, *arguments: str) -> list[str]:
        return [each["name"] for each in json.loads(self.wod(*arguments, "--json"))]

    @property
    def secrets(self) -> dict[str, Any]:
        """The stack's secrets, as the control machine keeps them."""
        kept: dict[str, Any] = YAML(typ="safe").load(self.state / "stacks/single/secrets.yaml")
        return kept

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Let this process trust the stack's own authority alone."""
        path = self.state.parent / "authority.pem"
        path.write_text(self.secrets["ca_certificate"])
        with patch.dict(os.environ, {"SSL_CERT_FILE": str(path)}):
            yield

    def client(self, port: int) -> httpx.Client:
        """Return a client of one of its sites that trusts the stack's own authority alone."""
        trust = ssl.create_default_context(cadata=self.secrets["ca_certificate"])
        address = f"https://{self.machine.name}:{port}"
        return httpx.Client(base_url=address, verify=trust, trust_env=False, timeout=30)

    def api(self) -> httpx.Client:
        """Return a client of its API."""
        return self.client(10000)

    def ask(self, path: str) -> httpx.Response:
        with self.api() as api:
            return api.get(path)

    def book(self, student: str) -> str:
        """Book for a student, and return the booking's reference once the seat is ready."""
        wish = {"workshop": WORKSHOP, "email": f"{student}@example.org", "name": student, "accept_terms": True}
        with self.api() as api:
            reference = str(
                api.post(f"{self.api_path}/bookings", json=wish).raise_for_status().json()["reference"]
            )
        until(lambda: self.state_of(reference) == "ready", f"{student}'s seat is ready", 90)
        return reference

    def state_of(self, reference: str) -> str:
        """Return a booking's state, or why it can't be told."""
        answer = self.ask(f"{self.api_path}/bookings/{reference}")
        return str(answer.json()["state"]) if answer.is_success else str(answer.status_code)

    def psql(self, statement: str) -> list[str]:
        argv = ["runuser", "-u", "postgres", "--", "psql", "-AXtc", statement, "postgres"]
        return self.machine.run(argv, cwd="/").stdout.split()

    def is_active(self, *units: str) -> bool:
        return self.machine.run(["systemctl", "is-active", "--quiet", *units], check=False).returncode == 0

    def started(self, units: Sequence[str]) -> list[str]:
        """Return when each of the units came up."""
        return self.machine.run(["systemctl", "show", "--property=Id,ActiveEnterTimestamp", *units]).stdout.split(
            "\n\n"
        )

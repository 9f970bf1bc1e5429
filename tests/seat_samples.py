"""Real seats for tests: accounts of this machine when root runs them, folders of a plain account always."""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil
import pytest
from eventually import until

from tasks.adapters.machine import LocalMachine
from tasks.seats import SeatPlace, ensure_seats

NOBODY = 65534
WORKSHOP = "WKSHP-Sample"


class Seats:
    """Seats of one isolation on this machine; gone, with all that belongs to them, at the end of the test."""

    def __init__(self, isolation: str, homes: Path, number: int = 3) -> None:
        self.isolation, self.homes = isolation, homes
        self.owner = str(homes.parent)
        self.prefix = f"wodt{token_hex(3)}-"
        self.accounts = [f"{self.prefix}{seat}" for seat in range(1, number + 1)]
        # As root, folders are tried with the rights of an account that owns nothing else.
        self.uid = NOBODY if isolation == "folders" and os.geteuid() == 0 else os.geteuid()
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        python = shutil.which("python3", path="/usr/bin") or sys.executable
        is_dropped = self.uid != os.geteuid()
        self.machine = LocalMachine("the machine", python=[*drop, python] if is_dropped else [sys.executable])

    @property
    def home(self) -> Path:
        return self.homes / self.accounts[0]

    def only(self, *numbers: int) -> Seats:
        """Return some of the seats, numbered anew from 0."""
        fewer = copy(self)
        fewer.accounts = [self.accounts[number] for number in numbers]
        return fewer

    def place(self, generation: int, seat: int = 0, booking: str = "") -> SeatPlace:
        return SeatPlace(self.accounts[seat], generation, self.homes, self.isolation, booking)

    def student(self, seat: int = 0) -> int:
        """Return the uid that a seat's student has."""
        return pwd.getpwnam(self.accounts[seat]).pw_uid if self.isolation == "accounts" else self.uid

    def start(self, *argv: str, seat: int = 0) -> subprocess.Popen[bytes]:
        """Start a process of the student."""
        home = str(self.homes / self.accounts[seat])
        uid = self.student(seat)
        as_other = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
        environment = {"HOME": home, "PATH": os.environ["PATH"]}
        return subprocess.Popen(argv, cwd=home, env=environment, start_new_session=True, **as_other)  # type: ignore[call-overload,no-any-return]

    def write(self, name: str, content: bytes | str = b"") -> Path:
        """Put a file of the student into the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.give()
        return path

    def give(self) -> None:
        """Make everything in the home the student's."""
        if os.geteuid() == 0:
            uid = self.student()
            subprocess.run(["chown", "-Rh", f"{uid}:{uid}", self.home], check=True)

    def lets_in(self, password: str, seat: int = 0) -> bool:
        """Tell whether a seat's door opens to a password."""
        if self.isolation == "accounts":
            return _is_system_password(self.accounts[seat], password)
        known = self.record(seat).get("password")
        if not known:
            return False
        cost = {name: known[name] for name in ("n", "r", "p")}
        salt = bytes.fromhex(known["salt"])
        return hashlib.scrypt(password.encode(), salt=salt, **cost).hex() == known["hash"]

    def record(self, seat: int = 0) -> dict[str, Any]:
        text = (self.homes / ".seats" / f"{self.accounts[seat]}.json").read_text()
        record: dict[str, Any] = json.loads(text)
        return record

    def files(self) -> dict[str, bytes]:
        """Return what is in the home, but hidden entries."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in sorted(self.home.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self.home).parts)
        }

    def incoming(self) -> list[Path]:
        """Return what is being built or thrown away."""
        return list((self.homes / ".incoming").rglob("*"))


def _is_system_password(account: str, password: str) -> bool:
    lines = Path("/etc/shadow").read_text().splitlines()
    fields = next(line.split(":") for line in lines if line.startswith(f"{account}:"))
    if fields[7]:  # the day on which the account expires; it is only ever set to a past one
        return False
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return bool(crypt(password.encode(), fields[1].encode()) == fields[1].encode())


def skip_unless_possible(isolation: str) -> None:
    if isolation == "accounts" and os.geteuid() != 0:
        pytest.skip("real accounts need root")


@contextmanager
def seats_on_this_machine(isolation: str, number: int = 3) -> Iterator[Seats]:
    """Yield seats that are not made yet, in a folder that every account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="wod-seats-", dir="/var/tmp"))
    folder.chmod(0o755)
    seats = Seats(isolation, folder / "homes", number)
    if os.geteuid() == 0:
        os.chown(folder, seats.uid, seats.uid)
    try:
        yield seats
    finally:
        for user in pwd.getpwall():
            if user.pw_name.startswith(seats.prefix):
                run("setpriv", f"--reuid={user.pw_uid}", "--clear-groups", "sh", "-c", "kill -9 -1")
                until(lambda user=user: _delete(user.pw_name), f"{user.pw_name} is removed")  # type: ignore[misc]
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
        subprocess.run(["rm", "-rf", folder], check=True)


def _delete(account: str) -> bool:
    return subprocess.run(["userdel", account], capture_output=True, check=False).returncode == 0


def run(*argv: object) -> int:
    """Run a program and return its exit status."""
    return subprocess.run([str(word) for word in argv], capture_output=True, check=False).returncode


def living(uid: int) -> list[int]:
    """Return the processes of a uid that are more than an entry waiting for its parent."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == uid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


async def ensure(seats: Seats) -> bool:
    return await ensure_seats(
        seats.machine, seats.homes, seats.accounts, owner=seats.owner, isolation=seats.isolation
    )


def tar_of(files: dict[str, bytes | str], *members: tarfile.TarInfo) -> bytes:
    """Return a tar of files and further members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return buffer.getvalue()


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def notebook(*counts: int | None, source: str = "1 + 1") -> str:
    """Return a notebook with one code cell for each execution count."""
    code = [
        {
            "cell_type": "code",
            "execution_count": count,
            "metadata": {},
            "outputs": [],
            "source": source,
            "id": f"c{n}",
        }
        for n, count in enumerate(counts)
    ]
    text = {"cell_type": "markdown", "metadata": {}, "source": "# A sample", "id": "text"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {"cells": [text, *code], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


def workshop(*counts: int | None) -> bytes:
    """Return the tar of a workshop."""
    return tar_of(
        {
            f"{WORKSHOP}/0-ReadMeFirst.ipynb": notebook(*counts),
            f"{WORKSHOP}/Pictures/one.png": b"\x89PNG",
            f"{WORKSHOP}/run.sh": "#!/bin/sh\n",
        }
    )

"""One seat of a machine: its record and lock, its way in, its processes, its home. Part of the seat agent."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tasks.adapters.folder_exchange import exchange

STALE, REFUSED, FAILED = 3, 4, 5  # exit statuses
RECORD_BYTES = 512  # written in place, so that a full disk can't keep a seat from being closed
GRACE_SECONDS, KILL_SECONDS = 2, 15
# A seat's password is random, so that hashing it need not be as slow as for passwords that people choose.
SCRYPT_COST = {"n": 4096, "r": 8, "p": 1}
SKELETON = Path("/etc/skel")
# Where a student's account can leave what starts processes later, and mail.
JOB_FOLDERS = (
    "/var/spool/cron/crontabs",
    "/var/spool/cron",
    "/var/spool/cron/atjobs",
    "/var/spool/at",
    "/var/mail",
    "/var/lib/systemd/linger",
)
SCRATCH_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108


class Trouble(Exception):
    """Why the work can't be done, with the exit status that says of which kind that is.

    `generation` is the one that the seat serves, when that is why.
    """

    def __init__(self, status: int, reason: str, message: str, generation: int | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.generation = status, reason, message, generation


class Seat:
    """One seat, locked until this agent and the tools that it started have ended.

    `booking` tells apart bookings of the same generation, of which there are two when a database was
    restored from a backup.
    """

    def __init__(self, homes: Path, account: str, isolation: str, booking: str = "") -> None:
        check_name(account)
        self.homes, self.account, self.home = homes, account, homes / account
        self.booking = booking
        self.incoming = homes / ".incoming" / account
        self.user = self._user() if has_accounts(isolation) else None
        try:
            self.file = os.open(homes / ".seats" / f"{account}.json", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            raise Trouble(FAILED, "seat_missing", f"{homes} holds no seats yet.") from None
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.record = self._record()

    def _user(self) -> pwd.struct_passwd:
        try:
            user = pwd.getpwnam(self.account)
        except KeyError:
            raise Trouble(FAILED, "seat_missing", f"There is no account {self.account} yet.") from None
        if user.pw_uid == 0 or user.pw_dir != str(self.home):
            raise Trouble(REFUSED, "account_taken", f"{self.account} is not the account of a seat.")
        return user

    def _record(self) -> dict[str, Any]:
        text = os.pread(self.file, RECORD_BYTES, 0)
        try:
            record: dict[str, Any] = json.loads(text) if text else {"generation": 0, "state": "wiped"}
        except ValueError:
            file = self.homes / ".seats" / f"{self.account}.json"
            what = f"The record {file} is damaged. Remove it when nobody works on that seat."
            raise Trouble(FAILED, "record_damaged", what) from None
        return record

    def release(self) -> None:
        """Let others have the seat before this agent ends."""
        os.close(self.file)

    def claim(self, generation: int) -> str:
        """Return how far this generation is ("" when it is new); refuse one that has passed, or is another's."""
        served: int = self.record["generation"]
        is_anothers = served == generation and self.record.get("booking", self.booking) != self.booking
        if served > generation or is_anothers:
            whose = "of another booking" if is_anothers else f"not {generation} any more"
            raise Trouble(STALE, "seat_passed_on", f"{self.account} serves {served}, {whose}.", served)
        return str(self.record["state"]) if served == generation else ""

    def write(self, generation: int, state: str, **more: object) -> None:
        """Note how far a generation is."""
        self.record = {"generation": generation, "state": state, "booking": self.booking, **more}
        os.pwrite(self.file, json.dumps(self.record).encode().ljust(RECORD_BYTES), 0)
        os.fdatasync(self.file)

    def tool(self, *argv: str, stdin: str = "") -> None:
        """Run a program that must succeed. It inherits the lock, so that it can't outlive it."""
        run_tool(*argv, stdin=stdin, inherited=(self.file,))

    def as_student(self, work: Callable[[], object]) -> int:
        """Run `work` in a child with the student's rights only; return its exit status."""
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if self.user:
                    os.setgroups([])
                    os.setgid(self.user.pw_gid)
                    os.setuid(self.user.pw_uid)
                work()
                status = 0
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
            finally:
                sys.stderr.flush()
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def open_door(self, generation: int, password: str) -> None:
        """Make the password work, and note that the seat is open."""
        if self.user:
            self.tool("chpasswd", stdin=f"{self.account}:{password}\n")
            self.tool("usermod", "--expiredate", "", self.account)
            self.write(generation, "open")
        else:
            self.write(generation, "open", password=hashed(password))

    def close_door(self, generation: int, state: str) -> None:
        """Make every way in useless, note it, and end what runs."""
        if self.user:
            self.tool("usermod", "--password", "!", "--expiredate", "1", self.account)
            self._remove_jobs(self.user.pw_uid)
        self.write(generation, state)
        self.end_processes()

    def _remove_jobs(self, uid: int) -> None:
        for folder in filter(Path.is_dir, map(Path, JOB_FOLDERS)):
            for path in folder.iterdir():
                found = path.lstat()
                if not stat.S_ISDIR(found.st_mode) and (found.st_uid == uid or path.name == self.account):
                    path.unlink()

    def processes(self) -> list[int]:
        """Return the seat's processes that live."""
        found = []
        for process in Path("/proc").glob("[1-9]*"):
            try:
                lines = (process / "status").read_bytes().splitlines()
                status = dict(line.partition(b":")[::2] for line in lines)
                if self.user:
                    is_ours = b"%d" % self.user.pw_uid in status[b"Uid"].split()
                else:
                    home = b"\0HOME=%b\0" % os.fsencode(self.home)
                    is_ours = home in b"\0" + (process / "environ").read_bytes()
            except OSError:  # it has ended, or is somebody else's
                continue
            if is_ours and status[b"State"].split()[0] not in (b"Z", b"X"):
                found.append(int(process.name))
        return found

    def signal_processes(self, number: signal.Signals) -> None:
        """Signal all processes of the seat; an account's at one instant, so that none can fork away."""
        if self.user:
            self.as_student(lambda: send(-1, number))
        else:
            for process in self.processes():
                send(process, number)

    def end_processes(self) -> None:
        """Ask all processes of the seat to end, and kill those that don't, until none is left."""
        started = time.monotonic()
        if self.processes():
            self.signal_processes(signal.SIGTERM)
        while self.processes() and time.monotonic() < started + GRACE_SECONDS:
            time.sleep(0.02)
        # In any case: processes that multiply fast enough are not seen in /proc.
        self.signal_processes(signal.SIGKILL)
        while self.processes():
            if time.monotonic() > started + KILL_SECONDS:
                raise Trouble(FAILED, "processes_remain", f"Processes of {self.account} can't be killed.")
            self.signal_processes(signal.SIGKILL)
            time.sleep(0.02)

    def build_home(self, fill: Callable[[Path], None] | None = None) -> Path:
        """Build a home aside and return its folder; nothing is left of one that can't be built."""
        self.clear_incoming()
        folder = self.incoming / os.urandom(4).hex()
        try:
            folder.mkdir(0o700, parents=True)
            self.give(folder)
            if self.user and SKELETON.is_dir():
                for path in SKELETON.iterdir():
                    if path.is_file():
                        with path.open("rb") as source:
                            self.add_file(folder / path.name, source, 0o644)
            if fill:
                fill(folder)
        except BaseException:
            self.clear_incoming()
            raise
        return folder

    def add_file(self, path: Path, source: BinaryIO, mode: int) -> None:
        """Write a new file of the student."""
        with path.open("xb") as file:
            while block := source.read(1 << 20):
                file.write(block)
            os.fchmod(file.fileno(), mode)
            self.give(file.fileno())

    def give(self, target: Path | int) -> None:
        """Make a folder, or an open file, the student's."""
        if self.user:
            os.chown(target, self.user.pw_uid, self.user.pw_gid)

    def swap_home(self, folder: Path) -> None:
        """Make `folder` the home at one instant, and clear the old one away."""
        if self.home.is_dir():
            exchange(folder, self.home)
        else:
            folder.rename(self.home)
        self.clear_incoming()

    def clear_incoming(self) -> None:
        """Remove what was being built or replaced, by this run or one that was killed."""
        if self.incoming.is_dir():
            self.remove_tree(self.incoming)

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder, whatever a student made of it: unreadable, or deep beyond measure."""
        if not self.user:
            with suppress(Trouble):  # the removal tells what is really in the way
                self.tool("chmod", "--recursive", "u+rwX", "--", str(folder))
        self.tool("rm", "-rf", "--one-file-system", "--", str(folder))

    def clear_scratch(self) -> None:
        """Remove the student's files from folders that all may write to, with the student's rights only."""
        if self.user:
            theirs = ["-uid", str(self.user.pw_uid), "-prune", "-exec", "rm", "-rf", "--", "{}", "+"]
            closed = ["-type", "d", "-not", "-perm", "-o=w", "-prune"]
            find = ["find", *SCRATCH_FOLDERS, "-xdev", *theirs, "-o", *closed]
            self.as_student(lambda: subprocess.run(find, stderr=subprocess.DEVNULL, check=False))


def has_accounts(isolation: str) -> bool:
    """Tell whether seats are accounts of the system."""
    return isolation == "accounts" or (isolation == "auto" and os.geteuid() == 0)


def check_name(account: str) -> None:
    """Refuse what can't be the name of an account, or would lead out of the homes."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", account):
        raise Trouble(REFUSED, "account_unusable", f"{account!r} can't be the name of an account.")


def run_tool(*argv: str, stdin: str = "", inherited: Sequence[int] = ()) -> None:
    """Run a program that must succeed; it inherits the given open files."""
    done = subprocess.run(argv, input=stdin.encode(), capture_output=True, pass_fds=inherited, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        text = f"{argv[0]} failed with exit status {done.returncode}: {' '.join(last)}"
        raise Trouble(FAILED, "tool_failed", text)


def hashed(password: str) -> dict[str, int | str]:
    """Return what a password is checked against: cost, salt and hash of scrypt."""
    import hashlib

    salt = os.urandom(16)
    key = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT_COST)
    return {**SCRYPT_COST, "salt": salt.hex(), "hash": key.hex()}


def send(process: int, number: signal.Signals) -> None:
    """Signal a process, or with -1 all that may be signalled, unless there are none any more."""
    with suppress(ProcessLookupError):
        os.kill(process, number)

"""All work on the seats of one machine; sent along with each call, so it needs nothing there but Python 3.9.

    python3 -I -S -c SOURCE VERB ARGUMENTS

SOURCE holds this module and those of its neighbours that it imports; else they import the standard library
only. ARGUMENTS is JSON. Secrets and content come on stdin: a line of JSON, then a tar. The answer is the
last line of stderr, JSON again; stdout carries content only. Exit status: 0 done, 3 stale, 4 refused,
5 failed.

Beside the homes are `.seats/`, one record a seat, and `.incoming/`, where homes are built. The record says
which generation (booking) the seat served last and how far that is, and it is the seat's lock:

    opening -> open -> locked -> wiping -> wiped

A generation whose student was never let in is not locked but wiped: what the home holds is not its work.

In `accounts` isolation the agent is root and seats are accounts of the system. In `folders` isolation they
are folders of the agent's own account, told apart by the HOME of their processes, and the record holds the
hash of the password. `auto`: accounts for root, folders otherwise.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.adapters.seat_home import FAILED, REFUSED, STALE, Seat, Trouble, check_name, has_accounts, run_tool

READER_MEMORY_BYTES = 1 << 30
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCKED = ("--password", "!", "--expiredate", "1")
BURIAL_ATTEMPTS, BURIAL_PAUSE_SECONDS = 20, 0.25


def open_seat(seat: Seat, generation: int) -> dict[str, object]:
    """Give the seat a new home of the tar on stdin, and let its student in; a home in use is not touched."""
    state = seat.claim(generation)
    if state not in ("", "opening", "open"):
        raise Trouble(STALE, "seat_closed", f"{seat.account} is {state} for {generation} already.")
    password: str = json.loads(sys.stdin.buffer.readline())["password"]
    if state != "open":
        from tasks.adapters.seat_content import unpack

        if seat.record["state"] == "wiped":
            seat.write(generation, "opening")
        else:
            seat.close_door(generation, "opening")
        seat.swap_home(seat.build_home(lambda folder: unpack(seat, folder, sys.stdin.buffer)))
    seat.open_door(generation, password)
    return {"changed": state != "open"}


def lock(seat: Seat, generation: int) -> dict[str, object]:
    """Keep the student out, and end what runs."""
    state = seat.claim(generation)
    if state in ("wiping", "wiped"):
        return {"changed": False}
    seat.close_door(generation, "locked" if state in ("open", "locked") else "wiping")
    return {"changed": state != "locked"}


def collect(
    seat: Seat, generation: int, workshop: str, limit_bytes: int, limit_seconds: float
) -> dict[str, object] | None:
    """Write the zip of the student's work to stdout, and answer how far the student got.

    It is read with the student's rights, so that links can't lead to what the student may not read.
    """
    if seat.claim(generation) not in ("open", "locked"):
        return {"archived": False}
    # Imported before the rights are given up: the student may not be able to read the library.
    import resource

    from tasks.adapters.seat_reader import report

    def read_work() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (READER_MEMORY_BYTES, READER_MEMORY_BYTES))
        work = report(str(seat.home), workshop, limit_bytes, limit_seconds, sys.stdout.buffer)
        answer({"archived": True, **work})

    if seat.as_student(read_work):
        raise Trouble(FAILED, "collect_failed", f"The work of {seat.account} can't be read.")
    return None


def wipe(seat: Seat, generation: int) -> dict[str, object]:
    """Leave nothing of the student: an empty home, no processes, no files elsewhere."""
    if seat.claim(generation) == "wiped":
        return {"changed": False}
    seat.close_door(generation, "wiping")
    try:
        seat.swap_home(seat.build_home())
    except OSError:  # a full disk: a home without anything will do, since the next student's is built anew
        seat.remove_tree(seat.home)
        seat.home.mkdir(0o700)
        seat.give(seat.home)
    seat.clear_scratch()
    seat.write(generation, "wiped")
    return {"changed": True}


def ensure(
    homes: Path, accounts: list[str], isolation: str, owner: str, uid_base: int | None
) -> dict[str, object]:
    """Make the folder of the homes, and every seat that is missing."""
    is_changed = ensure_folders(homes, 0o711 if has_accounts(isolation) else 0o700)
    if has_accounts(isolation):
        is_changed |= ensure_accounts(homes, accounts, comment_of(owner), uid_base)
    if accounts and not is_reachable(Seat(homes, accounts[0], isolation)):
        raise Trouble(
            REFUSED,
            "homes_unreachable",
            f"Students' accounts can't reach {homes}: a folder above it is closed to them. Open it to"
            " all (chmod o+x), or choose another folder with the setting seats_dir.",
        )
    for account in accounts:
        uid = pwd.getpwnam(account).pw_uid if has_accounts(isolation) else os.geteuid()
        home, record = homes / account, homes / ".seats" / f"{account}.json"
        if home.is_dir() and home.stat().st_uid == uid and record.exists() and record.stat().st_size:
            continue
        seat = Seat(homes, account, isolation)
        home.mkdir(0o700, exist_ok=True)
        seat.give(home)
        seat.write(**seat.record)
        is_changed = True
    return {"changed": is_changed}


def is_reachable(seat: Seat) -> bool:
    """Tell whether the seat's account may enter the folder of the homes."""
    status = seat.as_student((seat.homes / ".").stat)
    seat.release()
    return status == 0


def ensure_folders(homes: Path, mode: int) -> bool:
    """Make the folder of the homes with the two beside the homes; tell whether any was missing."""
    is_changed = False
    for folder, its_mode in ((homes, mode), (homes / ".seats", 0o700), (homes / ".incoming", 0o700)):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(its_mode)
            is_changed = True
        found = folder.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise Trouble(REFUSED, "homes_unsafe", f"{folder} is open to, or belongs to, somebody else.")
    return is_changed


def ensure_accounts(homes: Path, accounts: list[str], comment: str, uid_base: int | None) -> bool:
    """Make the accounts that are missing, locked; none is made if one is there and is somebody else's."""
    import grp

    groups = {group.gr_name for group in grp.getgrall()}
    present: dict[str, str] = {}
    foreign = []
    others = set()
    for account in accounts:
        check_name(account)
        try:
            user = pwd.getpwnam(account)
        except KeyError:
            foreign += [account] if account in groups else []
        else:
            present[account] = user.pw_dir
            found = comment_in(user)
            foreign += [account] if found != comment else []
            others |= {found} - {comment} if found.startswith(comment_of("")) else set()
    if foreign:
        what = (
            "Accounts or groups of these names exist and are not seats of this platform: "
            f"{', '.join(foreign)}. Choose other names with the setting seat_prefix."
        )
        for other in sorted(others):
            state = other.removeprefix(comment_of(""))
            what += f" Seats of a platform in {state} are taken away by: wod down --purge --state {state}"
        raise Trouble(REFUSED, "account_taken", what)
    shell = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    own = ("--no-create-home", "--user-group", "--shell", shell, "--comment", comment)
    missing = {account: number for number, account in enumerate(accounts, start=1) if account not in present}
    if uid_base is not None:
        check_numbers({uid_base + number for number in missing.values()})
    moved = [account for account, home in present.items() if home != str(homes / account)]
    for account, number in missing.items():
        uid = () if uid_base is None else ("--uid", str(uid_base + number))
        run_tool("useradd", "--home-dir", str(homes / account), *uid, *LOCKED, *own, account)
    for account in moved:
        run_tool("usermod", "--home", str(homes / account), account)
    return bool(missing or moved)


def check_numbers(uids: set[int]) -> None:
    """Refuse user numbers that accounts have already."""
    taken = sorted(f"{user.pw_uid} ({user.pw_name})" for user in pwd.getpwall() if user.pw_uid in uids)
    if taken:
        what = f"These user numbers, meant for seats, are taken: {', '.join(taken)}. Choose another uid_base."
        raise Trouble(REFUSED, "user_number_taken", what)


def halt(homes: Path, isolation: str) -> dict[str, object]:
    """End all processes of all seats; who was let in stays so."""
    seats = [Seat(homes, account, isolation) for account in known_accounts(homes)]
    running = [seat for seat in seats if seat.processes()]
    for seat in running:
        seat.signal_processes(signal.SIGTERM)
    for seat in running:
        seat.end_processes()
    return {"changed": bool(running)}


def remove(homes: Path, isolation: str, owner: str) -> dict[str, object]:
    """Take the platform's seats off the machine: accounts, homes and records."""
    accounts = known_accounts(homes)
    if has_accounts(isolation):
        comment = comment_of(owner)
        accounts = [user.pw_name for user in pwd.getpwall() if comment_in(user) == comment]
    if not accounts and not homes.exists():
        return {"changed": False}
    ensure_folders(homes, 0o700)
    for account in accounts:
        seat = Seat(homes, account, isolation)
        seat.close_door(seat.record["generation"], "wiping")
        seat.remove_tree(seat.home)
        if seat.user:
            remove_account(seat)
    for folder in (homes / ".incoming", homes / ".seats"):
        run_tool("rm", "-rf", "--one-file-system", "--", str(folder))
    if not any(homes.iterdir()):
        homes.rmdir()
    return {"changed": bool(accounts)}


def remove_account(seat: Seat) -> None:
    """Remove the account of a seat, again while the last of its processes is being buried."""
    for attempts_left in reversed(range(BURIAL_ATTEMPTS)):
        try:
            seat.tool("userdel", seat.account)
        except Trouble:
            if not attempts_left:
                raise
            time.sleep(BURIAL_PAUSE_SECONDS)
        else:
            return


def known_accounts(homes: Path) -> list[str]:
    """Return the accounts that have a record."""
    return sorted(record.stem for record in (homes / ".seats").glob("*.json"))


def comment_of(owner: str) -> str:
    """Return the comment by which an account tells whose seat it is."""
    return "wod seat of " + re.sub(r"[^A-Za-z0-9/._@ -]", "_", owner)


def comment_in(user: pwd.struct_passwd) -> str:
    """Return what of an account's comment only root sets: a student may add fields after a comma (chfn)."""
    return user.pw_gecos.split(",")[0]


SEAT_VERBS: dict[str, Callable[..., dict[str, object] | None]] = {
    "open": open_seat,
    "lock": lock,
    "collect": collect,
    "wipe": wipe,
}
VERBS: dict[str, Callable[..., dict[str, object] | None]] = {"ensure": ensure, "halt": halt, "remove": remove}


def answer(values: dict[str, object]) -> None:
    """Give the answer."""
    print(json.dumps(values), file=sys.stderr, flush=True)  # noqa: T201


def do(verb: str, homes: Path, arguments: dict[str, Any]) -> dict[str, object] | None:
    """Do what `verb` says and return the answer, None when it is already given."""
    if verb in VERBS:
        return VERBS[verb](homes, **arguments)
    seat = Seat(homes, arguments.pop("account"), arguments.pop("isolation"), arguments.pop("booking"))
    return SEAT_VERBS[verb](seat, **arguments)


def main(verb: str, text: str) -> int:
    """Do what the command line says, and return the exit status."""
    os.environ["PATH"] = SYSTEM_PATH
    os.umask(0o022)
    arguments = json.loads(text)
    homes = Path(arguments.pop("homes"))
    try:
        values = do(verb, homes, arguments)
    except Trouble as trouble:
        answer({"reason": trouble.reason, "message": trouble.message, "generation": trouble.generation})
        return trouble.status
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason, what = ("disk_full", "The disk is full") if is_full else ("machine_trouble", str(error.strerror))
        answer({"reason": reason, "message": f"{what}: {error.filename or homes}."})
        return FAILED
    if values is not None:
        answer(values)
    return 0

"""The work on seats: making them, opening one for a booking, closing, collecting and wiping it.

Every function is one round trip to the machine and may run twice. What belongs to a generation that has
passed raises Stale, with the generation that the machine serves, and changes nothing; what a machine can't do
raises StepFailed, with the reason that the seat agent gave (`disk_full`, `seat_missing`, …).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from models.errors import Refused, Stale, StepFailed, WodError
from tasks.adapters.agent_source import program
from tasks.adapters.machine import Completed, Machine
from tasks.adapters.seat_home import FAILED, REFUSED, STALE

STEP_SECONDS = 60.0
ENSURE_SECONDS = 600.0
# Part of a step's time that reading a student's work may take; the rest is for starting and ending it.
READING_SHARE = 0.7

_PARTS = {"open": ("seat_home", "seat_content"), "collect": ("seat_home", "seat_reader")}
_ALL_PARTS = ("seat_home", "seat_content", "seat_reader")
_ERRORS: dict[int, type[WodError]] = {STALE: Stale, REFUSED: Refused, FAILED: StepFailed}


@dataclass(frozen=True)
class SeatPlace:
    """A seat on its machine, as one generation may work on it.

    `homes` is the absolute folder of the homes there; `isolation` is accounts, folders, or auto: accounts
    where the work is done as root. `booking` is of at most 64 characters and no secret; a generation that
    the machine serves for another one has passed.
    """

    account: str
    generation: int
    homes: Path
    isolation: str = "auto"
    booking: str = ""


@dataclass(frozen=True)
class SeatWork:
    """What a student did: code cells executed and in all, files kept, and names of some that were not.

    `archived` is False when the seat holds no work of this booking: it was never opened, or is wiped.
    """

    cells_executed: int = 0
    cells_total: int = 0
    files: int = 0
    left_out: tuple[str, ...] = ()
    archived: bool = False


async def ensure_seats(
    machine: Machine,
    homes: Path,
    accounts: list[str],
    *,
    owner: str,
    isolation: str = "auto",
    uid_base: int | None = None,
) -> bool:
    """Make the seats that are missing and tell whether any was; new ones let nobody in.

    The first new account gets the user number `uid_base` + 1 if it is the first of `accounts`, and so on; None:
    any that is free. `owner` names the platform (its state folder); an account of somebody else raises Refused
    (`account_taken`, naming all), as do numbers of somebody else (`user_number_taken`) and a folder that
    students can't reach (`homes_unreachable`).
    """
    arguments = {"accounts": accounts, "owner": owner, "isolation": isolation, "uid_base": uid_base}
    return bool((await _call(machine, "ensure", homes, arguments, timeout_seconds=ENSURE_SECONDS))["changed"])


async def open_seat(
    machine: Machine, place: SeatPlace, password: str, content: bytes, *, timeout_seconds: float = STEP_SECONDS
) -> bool:
    """Deliver `content`, a tar of the new home, whole or not at all, and let the student in with `password`.

    A seat that is open for this generation already keeps its home, and False is returned.
    """
    stdin = json.dumps({"password": password}).encode() + b"\n" + content
    answer = await _call(machine, "open", place, stdin=stdin, timeout_seconds=timeout_seconds)
    return bool(answer["changed"])


async def lock_seat(machine: Machine, place: SeatPlace, *, timeout_seconds: float = STEP_SECONDS) -> bool:
    """Make the password worthless and end the seat's processes; tell whether it was open until now."""
    return bool((await _call(machine, "lock", place, timeout_seconds=timeout_seconds))["changed"])


async def collect_seat(
    machine: Machine,
    place: SeatPlace,
    workshop_folder: str,
    destination: Path,
    limit_mb: float,
    *,
    timeout_seconds: float = STEP_SECONDS,
) -> SeatWork:
    """Put a zip of the student's work, at most `limit_mb` before packing, at `destination`; count the cells.

    `workshop_folder` is the name of the workshop's folder in the home, whose notebooks are counted. The
    destination is left as it is when the seat holds no work of this booking.
    """
    arguments = {
        "workshop": workshop_folder,
        "limit_bytes": int(limit_mb * 1e6),
        "limit_seconds": timeout_seconds * READING_SHARE,
    }
    aside = destination.with_name(f".{destination.name}.{token_hex(4)}")
    try:
        answer = await _call(
            machine, "collect", place, arguments, stdout_to=aside, timeout_seconds=timeout_seconds
        )
        if not answer["archived"]:
            return SeatWork()
        aside.replace(destination)
    finally:
        aside.unlink(missing_ok=True)
    return SeatWork(
        cells_executed=answer["executed"],
        cells_total=answer["total"],
        files=answer["files"],
        left_out=tuple(answer["left_out"]),
        archived=True,
    )


async def measure_seat(
    machine: Machine, place: SeatPlace, workshop_folder: str, *, timeout_seconds: float = STEP_SECONDS
) -> SeatWork:
    """Count the cells of a seat that is open or locked, and keep nothing."""
    # A zip that nothing fits into costs little more than the counting.
    arguments = {"workshop": workshop_folder, "limit_bytes": 0, "limit_seconds": 0}
    answer = await _call(machine, "collect", place, arguments, timeout_seconds=timeout_seconds)
    if not answer["archived"]:
        return SeatWork()
    return SeatWork(cells_executed=answer["executed"], cells_total=answer["total"])


async def wipe_seat(machine: Machine, place: SeatPlace, *, timeout_seconds: float = STEP_SECONDS) -> bool:
    """Leave nothing of the student on the machine; tell whether there was anything to wipe."""
    return bool((await _call(machine, "wipe", place, timeout_seconds=timeout_seconds))["changed"])


async def halt_seats(machine: Machine, homes: Path, *, isolation: str = "auto") -> bool:
    """End all processes of all seats, as before the platform goes down; tell whether there were any."""
    arguments = {"isolation": isolation}
    return bool((await _call(machine, "halt", homes, arguments, timeout_seconds=STEP_SECONDS))["changed"])


async def remove_seats(machine: Machine, homes: Path, *, owner: str, isolation: str = "auto") -> bool:
    """Take the platform's accounts, homes and records off the machine; tell whether there were any."""
    arguments = {"owner": owner, "isolation": isolation}
    return bool((await _call(machine, "remove", homes, arguments, timeout_seconds=ENSURE_SECONDS))["changed"])


async def _call(
    machine: Machine,
    verb: str,
    where: SeatPlace | Path,
    arguments: dict[str, Any] | None = None,
    *,
    stdin: bytes = b"",
    stdout_to: Path | None = None,
    timeout_seconds: float,
) -> dict[str, Any]:
    given = dict(arguments or {})
    if isinstance(where, SeatPlace):
        given |= {name: value for name, value in vars(where).items() if name != "homes"}
        where = where.homes
    given["homes"] = str(where)
    if machine.seat_agent:
        agent = [*machine.seat_agent, _installed_version()]
    else:
        agent = [*machine.python, "-I", "-S", "-c", _travelling_program(verb)]
    done = await machine.run(
        [*agent, verb, json.dumps(given)],
        stdin=stdin,
        stdout_to=stdout_to,
        timeout_seconds=timeout_seconds,
    )
    answer = _answer_of(done)
    if done.status == 0 and answer is not None:
        return answer
    if done.status in _ERRORS and answer is not None:
        before = b"\n".join(done.stderr.splitlines()[:-1])[-500:].decode(errors="replace")
        raise _error_of(done.status, answer, f"{verb} on {machine.name} {before}")
    raise StepFailed(
        f"The work on a seat ({verb}) broke off on {machine.name}.",
        reason="seat_agent_broken",
        detail=f"exit status {done.status}: {done.last_lines}",
    )


def _error_of(status: int, answer: dict[str, Any], detail: str) -> WodError:
    message, reason = str(answer["message"]), str(answer["reason"])
    if status == STALE:
        return Stale(message, reason=reason, detail=detail, generation=answer.get("generation"))
    return _ERRORS[status](message, reason=reason, detail=detail)


def _answer_of(done: Completed) -> dict[str, Any] | None:
    lines = done.stderr.splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


@cache
def seat_agent_program() -> bytes:
    """Return the seat agent as one program to install, that only root may write to: SEAT-AGENT VERSION VERB JSON.

    It does nothing for a caller of another release than its own, and says so (`seat_agent_differs`).
    """
    return _INSTALLED.format(version=_installed_version(), failed=FAILED, loading=_loading(_ALL_PARTS)).encode()


# Isolated (-I) and without site packages (-S), as the travelling program is.
_INSTALLED = """\
#!/usr/bin/python3 -IS
import json, sys
VERSION = "{version}"
if sys.argv[1:2] != [VERSION]:
    message = "The seat agent that is installed here is of another release. Install the backend anew."
    print(json.dumps({{"reason": "seat_agent_differs", "message": message}}), file=sys.stderr)
    sys.exit({failed})
del sys.argv[1]
{loading}
"""


@cache
def _installed_version() -> str:
    return hashlib.sha256(_loading(_ALL_PARTS).encode()).hexdigest()[:16]


@cache
def _travelling_program(verb: str) -> str:
    return _loading(_PARTS.get(verb, ("seat_home",)))


def _loading(parts: Sequence[str]) -> str:
    return program(("folder_exchange", *parts, "seat_agent"))

"""What must be so for students: a real booking is taken, becomes ready, lets in, and is reset."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from models.errors import StepFailed
from models.rules.passwords import derive_password
from models.settings import state_folder
from tasks.checks.open_bookings import OpenBookings, open_bookings
from tasks.checkup import Checkup
from tasks.stack_files import stack_folder
from tasks.verdicts import Level, Verdict, bad, good, warning

_READY_SECONDS = 120.0
_RESET_SECONDS = 120.0
_POLL_SECONDS = 0.5
_OVER = ("ended", "failed")
_REMEDY = "See the booking's run in Prefect."


async def check_bookings(checkup: Checkup) -> list[Verdict]:
    """Book a workshop once for each backend, log in, and end the session; the seats are reset afterwards.

    The platform chooses the backends, those that are least in use first, so one may not be tried. What a check
    that was killed had booked from this control machine is ended first.

    Raises StepFailed (check_running) while another check from here is booking.
    """
    if not checkup.wishes.books:
        return []
    api = checkup.stack.url("api")
    with open_bookings(stack_folder(state_folder(), checkup.stack.name)) as noted:
        left = await _left_over(checkup, api, noted.read())
        workshop = await _workshop(checkup, api)
        if not workshop:
            what = "No booking was tried: the catalog offers no workshop."
            return [*left, warning(api, what, "`wod catalog sync` adds some.")]
        verdicts, resets = await _all_tried(checkup, api, workshop, noted)
        if all(each.level is Level.GOOD for each in (*left, *resets)):
            noted.clear()
    tried = {verdict.subject for verdict in verdicts}
    untried = [each.machine for each in checkup.stack.backends if each.machine not in tried]
    what = "No booking was given to it, so that none was tried there."
    remedy = "It may be full, or its seats not made yet: see the API's health."
    return [*left, *verdicts, *resets, *(warning(machine, what, remedy) for machine in untried)]


async def _all_tried(
    checkup: Checkup, api: str, workshop: str, noted: OpenBookings
) -> tuple[list[Verdict], list[Verdict]]:
    """Book for each backend; return how the bookings came out, and how their seats were given back."""
    # One after the other, each while those before are still there: so each goes to another backend.
    verdicts: list[Verdict] = []
    booked: list[str] = []
    try:
        for number, _ in enumerate(checkup.stack.backends, start=1):
            answer = await _booked(checkup, api, workshop, number)
            if isinstance(answer, Verdict):
                verdicts.append(answer)
                continue
            noted.add(answer)
            booked.append(answer)
            verdicts.append(await _tried(checkup, api, answer))
    finally:
        resets = await asyncio.gather(*(_reset(checkup, api, reference) for reference in booked))
    return verdicts, resets


async def _left_over(checkup: Checkup, api: str, references: Sequence[str]) -> list[Verdict]:
    """End what is left of checks that were killed; a restored database may not know it any more."""
    answers = await asyncio.gather(
        *(checkup.doors.ask("GET", f"{api}/api/v1/bookings/{reference}") for reference in references)
    )
    left = [
        reference
        for reference, answer in zip(references, answers, strict=True)
        if answer.status != 404 and (answer.json or {}).get("state") not in _OVER
    ]
    return await asyncio.gather(*(_reset(checkup, api, reference) for reference in left))


async def _workshop(checkup: Checkup, api: str) -> str:
    if checkup.wishes.workshop:
        return checkup.wishes.workshop
    answer = await checkup.doors.ask("GET", f"{api}/api/v1/workshops")
    offered = answer.json if isinstance(answer.json, list) else []
    return next((str(each["key"]) for each in offered if each["free_seats"]), "")


async def _booked(checkup: Checkup, api: str, workshop: str, number: int) -> str | Verdict:
    """Book; return the booking's reference, or that it was refused."""
    wish = {
        "workshop": workshop,
        "email": _address(checkup.mail_to, number),
        "name": "Check of the stack",
        "accept_terms": True,
    }
    answer = await checkup.doors.ask("POST", f"{api}/api/v1/bookings", body=wish)
    if answer.status == 201:
        return str(answer.json["reference"])
    told = answer.json if isinstance(answer.json, dict) else {}
    what = f"A booking of {workshop} was refused (HTTP {answer.status}): {told.get('message', '')}".rstrip()
    return bad(api, what, "An earlier check may not have ended yet; else see `journalctl -u wod-api`.")


async def _tried(checkup: Checkup, api: str, reference: str) -> Verdict:
    """Wait until a booking's seat is ready, and log in to it."""
    started = monotonic()
    status = await _status_when(checkup, api, reference, ("ready", "failed"), _READY_SECONDS)
    if status["state"] != "ready":
        why = status["failure"] or status["notice"] or f"it is {status['state']} after {_READY_SECONDS:.0f} s"
        return bad(api, f"A booking did not become ready: {why}", _REMEDY)
    seconds = monotonic() - started
    machine, account = _machine_of(checkup, status), str(status["account"])
    password = derive_password(checkup.context.secrets.password_key, reference)
    if not await checkup.doors.logs_in(checkup.stack.url("hub", machine), account, password):
        what = f"{account} was booked, but the hub does not let it in with its password."
        return bad(machine, what, "See `journalctl -u wod-hub` on it.")
    return good(machine, f"A booking was ready after {seconds:.1f} s, and {account} could log in.")


async def _reset(checkup: Checkup, api: str, reference: str) -> Verdict:
    """End a booking, and see its seat given back, which a seat is not before it is wiped."""
    await checkup.doors.ask("DELETE", f"{api}/api/v1/bookings/{reference}")
    status = await _status_when(checkup, api, reference, _OVER, _RESET_SECONDS)
    if status["state"] in _OVER:
        return good(api, f"The seat of a booking of {status['workshop']} was wiped and given back.")
    return bad(api, f"A seat was not reset within {_RESET_SECONDS:.0f} s. {status['notice']}".rstrip(), _REMEDY)


async def _status_when(
    checkup: Checkup, api: str, reference: str, states: tuple[str, ...], seconds: float
) -> Mapping[str, Any]:
    """Return a booking as soon as it is in one of `states`, or as it is after `seconds`."""
    deadline = monotonic() + seconds
    while True:
        answer = await checkup.doors.ask("GET", f"{api}/api/v1/bookings/{reference}")
        if answer.status != 200:
            raise StepFailed(f"The API answers with HTTP {answer.status} about a booking.", reason="api_refused")
        status: Mapping[str, Any] = answer.json
        if status["state"] in states or monotonic() > deadline:
            return status
        await asyncio.sleep(_POLL_SECONDS)


def _machine_of(checkup: Checkup, status: Mapping[str, Any]) -> str:
    """Return the backend whose hub a booking's way in leads to."""
    door = urlsplit(str(status["session_url"])).netloc
    hubs = {
        urlsplit(checkup.stack.url("hub", each.machine)).netloc: each.machine for each in checkup.stack.backends
    }
    return hubs.get(door, door)


def _address(mail_to: str, number: int) -> str:
    """Return the address of one of the bookings, since an address has one booking at a time."""
    local, _, domain = mail_to.rpartition("@")
    return f"{local}+check{number}@{domain}"

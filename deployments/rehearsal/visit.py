"""A whole visit: a student books, works and leaves, and each promise on the way is looked for."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from deployments.rehearsal.maildir import Mailbox, credentials_of, work_link_of
from deployments.rehearsal.student import Student
from models.errors import StepFailed
from models.rules.booking import MailKind
from models.rules.links import FIRST_PAGE
from ui.api.client import ApiClient
from ui.api.schemas import BookingRequest, BookingStatus

R = TypeVar("R")

_POLL_SECONDS = 0.1
_STEP_SECONDS = 60.0


@dataclass(frozen=True)
class Visit:
    """Where a visit takes place. `homes` is the folder of the seats' homes, which must be wiped at the end."""

    api_url: str
    mailbox: Mailbox
    homes: Path
    workshop: str
    email: str
    name: str = "Robin Rehearsal"


async def book(visit: Visit) -> str:
    """Book as the catalog does; return the booking's reference."""
    wish = BookingRequest(workshop=visit.workshop, email=visit.email, name=visit.name, accept_terms=True)
    created = await asyncio.to_thread(_with_api(visit, lambda api: api.book(wish)))
    return created.reference


async def whole_visit(visit: Visit) -> AsyncGenerator[str, None]:
    """Live through a booking; yield a sentence for each thing that was seen to be so.

    Raises:
        StepFailed: naming the first thing that was not.
    """
    free_before = await _free_seats(visit)
    reference = await book(visit)
    _expect(await _free_seats(visit) == free_before - 1, "the catalog counts one seat fewer")
    yield f"The API has taken the booking of {visit.workshop}; {free_before - 1} seats are left"
    await visit.mailbox.wait_for(MailKind.WELCOME, visit.email, _STEP_SECONDS)
    yield "The welcome mail has come"
    status = await _status_when(visit, reference, lambda status: status.state == "ready")
    _expect(all(step.done for step in status.steps[:3]), "the booking's page shows each step as done")
    home = visit.homes / status.account / visit.workshop
    _expect((home / FIRST_PAGE).is_file(), "the workshop is in the seat's home")
    yield f"The seat {status.account} is ready: notebooks rendered, account open"
    mail = await visit.mailbox.wait_for(MailKind.CREDENTIALS, visit.email, _STEP_SECONDS)
    credentials = credentials_of(mail)
    yield f"The credentials mail has come, for {credentials.username}"

    hub_url = credentials.session_url.partition("/hub/")[0]
    async with Student(hub_url, credentials.username) as student:
        async for sentence in _work(student, visit, credentials.password):
            yield sentence
        await visit.mailbox.wait_for(MailKind.REMINDER, visit.email, _seconds_left(status) + _STEP_SECONDS)
        status = await _status_when(visit, reference, lambda now: True)
        _expect(status.state in ("ready", "expiring"), "the reminder comes before the end")
        yield "The reminder has come before the end"
        await _status_when(visit, reference, lambda now: now.state in ("ending", "ended"), _seconds_left(status))
        status = await _status_when(visit, reference, lambda now: now.state == "ended")
        _expect(not await student.log_in(credentials.password), "the old password is refused after the end")
        _expect(not await student.is_served(), "the student's server is stopped")
    yield "The session has ended: the password is worthless and the server stopped"

    thanks = await visit.mailbox.wait_for(MailKind.THANKS, visit.email, _STEP_SECONDS)
    completion = status.completion
    _expect(completion is not None and completion.cells_executed > 0, "the completion was measured")
    yield f"The thank-you mail has come; completion: {completion.percent if completion else 0} %"
    names = await _downloaded(work_link_of(thanks))
    yield f"The work could be downloaded through the mail's link: {len(names)} files"
    _expect(not home.exists(), "the seat's home is wiped")
    _expect(await _free_seats(visit) == free_before, "the seat is free again")
    yield "The home is wiped and the seat free again"


async def _work(student: Student, visit: Visit, password: str) -> AsyncIterator[str]:
    _expect(not await student.log_in(password + "x"), "a wrong password is refused")
    _expect(await student.log_in(password), "the mailed password is accepted")
    yield "The hub refuses a wrong password and takes the mailed one"
    page = await student.open_lab()
    first = f"{visit.workshop}/{FIRST_PAGE}"
    _expect(page.endswith(f"/lab/tree/{first}"), f"JupyterLab opens on {first}, not on {page}")
    yield f"JupyterLab has opened on {FIRST_PAGE}"
    _expect(await student.is_served(), "the student's server answers")
    notebooks = await student.notebooks(visit.workshop)
    _expect(len(notebooks) > 1, "there are notebooks to work on")
    cells = await student.run_notebook(notebooks[1])
    yield f"{cells} cells of {Path(notebooks[1]).name} were run"


async def _status_when(
    visit: Visit,
    reference: str,
    is_so: Callable[[BookingStatus], bool],
    timeout_seconds: float = 0,
) -> BookingStatus:
    deadline = time.monotonic() + timeout_seconds + _STEP_SECONDS
    while True:
        status = await asyncio.to_thread(_with_api(visit, lambda api: api.booking(reference)))
        if is_so(status):
            return status
        if status.failure or time.monotonic() > deadline:
            raise StepFailed(
                f"The booking is {status.state}. {status.failure or status.notice}".strip(),
                reason="booking_stuck",
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _free_seats(visit: Visit) -> int:
    workshop = await asyncio.to_thread(_with_api(visit, lambda api: api.workshop(visit.workshop)))
    return workshop.free_seats


async def _downloaded(link: str) -> list[str]:
    _expect(bool(urlsplit(link).hostname), "the mail links to the student's work")
    async with httpx.AsyncClient(timeout=30) as browser:
        answer = await browser.get(link)
    _expect(answer.status_code == 200, "the student's work can be downloaded")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        run = [name for name in names if name.endswith(".ipynb") and _was_run(archive.read(name))]
    _expect(bool(run), "the download holds the notebook as the student left it")
    return names


def _was_run(notebook: bytes) -> bool:
    return any(cell.get("execution_count") for cell in json.loads(notebook)["cells"])


def _seconds_left(status: BookingStatus) -> float:
    return float(status.seconds_left or 0)


def _with_api(visit: Visit, ask: Callable[[ApiClient], R]) -> Callable[[], R]:
    def run() -> R:
        with ApiClient(visit.api_url) as api:
            return ask(api)

    return run


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise StepFailed(f"Not so: {what}.", reason="promise_broken")

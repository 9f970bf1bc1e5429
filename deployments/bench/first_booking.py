"""A student who can't wait: books while a stack is being installed, as soon as its API takes a booking."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from models.errors import StepFailed
from models.settings import state_folder
from models.stack_manifest import StackManifest, read_stack
from models.tables import utc_now
from tasks.adapters.doors import Doors
from tasks.certificate_files import read_certificate_files
from tasks.stack_secrets import read_stack_secrets, secrets_file

_POLL_SECONDS = 0.5


class ImpatientStudent:
    """Asks for a seat over and over; `told` is what the stack answered last, for whoever waits in vain."""

    def __init__(self, stack_file: Path) -> None:
        self._stack = read_stack(stack_file)
        self._api = f"{self._stack.url('api')}/api/v1"
        self.told = "The installation has not begun."

    async def seconds_to_seat(self) -> float:
        """Return after how many seconds from now a booking was ready; its session is ended again, and reset.

        This tries for ever: the caller ends it.
        """
        begun = time.monotonic()
        async with _doors(self._stack) as doors:
            booking = f"{self._api}/bookings/{await self._booked(doors)}"
            await self._until(doors, booking, ("ready",))
            seconds = time.monotonic() - begun
            await doors.ask("DELETE", booking)
            await self._until(doors, booking, ("ended", "failed"))
            return seconds

    async def _booked(self, doors: Doors) -> str:
        while True:
            for workshop in await self._answered(doors, "GET", f"{self._api}/workshops") or ():
                wish = {"workshop": workshop["key"], "email": self._address, "name": "Bench"}
                body = {**wish, "accept_terms": True}
                if created := await self._answered(doors, "POST", f"{self._api}/bookings", body):
                    return str(created["reference"])
            await asyncio.sleep(_POLL_SECONDS)

    async def _until(self, doors: Doors, booking: str, states: tuple[str, ...]) -> None:
        while True:
            status = await self._answered(doors, "GET", booking)
            if status and status["state"] in states:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _answered(self, doors: Doors, method: str, url: str, body: Any = None) -> Any:
        """Return what the API grants, or None."""
        try:
            answer = await doors.ask(method, url, body=body)
        except StepFailed as error:
            self.told = error.message
            return None
        self.told = f"{method} {url}: HTTP {answer.status} {answer.text[:300]}"
        return answer.json if answer.status in (200, 201) else None

    @property
    def _address(self) -> str:
        # A new one each time: what a bench that was killed has booked is there until its session ends.
        local, _, domain = self._stack.mail.sender.rpartition("@")
        return f"{local}+bench{secrets.token_hex(4)}@{domain}"


@asynccontextmanager
async def _doors(stack: StackManifest) -> AsyncIterator[Doors]:
    """Open the doors of a stack, when there are the secrets by which to know them."""
    state = state_folder()
    while True:
        if secrets_file(state, stack.name).is_file():
            break
        await asyncio.sleep(_POLL_SECONDS)
    kept = await read_stack_secrets(state, stack, utc_now())
    own = await asyncio.to_thread(read_certificate_files, stack, utc_now())
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write("".join((kept.ca_certificate, *own.authorities)))
        file.flush()
        doors = Doors(Path(file.name))
    try:
        yield doors
    finally:
        await doors.close()

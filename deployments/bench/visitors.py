"""Visitors of the catalog: sessions like those of browsers, each with a script that really runs in the server."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from models.errors import StepFailed

# How long people look at a page before they open the next one, on average.
_LOOK_SECONDS = 30.0
_OPENINGS_AT_ONCE = 10
_PAGE_SECONDS = 60.0


@dataclass
class Visits:
    """What the visitors saw; seconds are from opening a page until all of it was there."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def visitors(catalog_url: str, workshops: Sequence[str], count: int) -> AsyncIterator[Visits]:
    """Keep sessions open that leaf through the workshops; the list is open in all of them when this yields.

    Raises StepFailed (page_missing) when the list can't be opened.
    """
    visits, gate = Visits(), asyncio.Semaphore(_OPENINGS_AT_ONCE)
    opened = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.create_task(_visit(catalog_url, workshops, visits, gate, event)) for event in opened]
    try:
        await asyncio.gather(*(_unless_failed(task, event) for task, event in zip(tasks, opened, strict=True)))
        visits.seconds.clear()
        yield visits
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        visits.failures += [repr(each) for each in ended if isinstance(each, Exception)]


async def _unless_failed(task: asyncio.Task[None], event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task


async def _visit(
    catalog_url: str, workshops: Sequence[str], visits: Visits, gate: asyncio.Semaphore, opened: asyncio.Event
) -> None:
    address = f"{catalog_url.replace('http', 'ws', 1)}/_stcore/stream"
    async with gate:
        socket = await connect(
            address, subprotocols=[Subprotocol("streamlit")], max_size=None, open_timeout=_PAGE_SECONDS
        )
        await _open_page(socket, workshops, visits)
    opened.set()
    async with socket:
        while True:
            # Nobody's pages are opened in step with everybody else's.
            await _look(socket, random.uniform(0, 2 * _LOOK_SECONDS))  # noqa: S311
            key = random.choice((*workshops, ""))  # noqa: S311
            await _open_page(socket, workshops, visits, key)


async def _look(socket: ClientConnection, seconds: float) -> None:
    """Take in what the server sends by itself meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            async for _ in socket:
                pass
    except TimeoutError:
        return


async def _open_page(
    socket: ClientConnection, workshops: Sequence[str], visits: Visits, workshop: str = ""
) -> None:
    """Have the script run for the page of a workshop, or the list of all, and wait for its end."""
    asked = BackMsg()
    asked.rerun_script.page_name = "workshop" if workshop else ""
    asked.rerun_script.query_string = f"workshop={workshop}" if workshop else ""
    begun = time.monotonic()
    await socket.send(asked.SerializeToString())
    shown = await _shown(socket)
    # The list leads to each workshop; an apology for an outage does not.
    if not shown or not (workshop or all(key.encode() in shown for key in workshops)):
        raise StepFailed(
            "The catalog did not show a page.", reason="page_missing", detail=workshop or "the list of workshops"
        )
    visits.seconds.append(time.monotonic() - begun)


async def _shown(socket: ClientConnection) -> bytes:
    """Return what the server sent until a script was through; nothing, if it wasn't."""
    shown = b""
    async with asyncio.timeout(_PAGE_SECONDS):
        async for data in socket:
            if isinstance(data, str):
                continue
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "delta":
                shown += data
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return shown if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY else b""
    return b""

"""Start the engine: python -m deployments.engine.main."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Sequence

from deployments.engine.engine import Engine
from deployments.engine.recorder import Recorder
from models.backend_list import ListedBackend
from models.errors import Refused
from models.settings import load_settings
from models.store.database import Database
from tasks.adapters.smtp import Mailer
from tasks.backends import ensure_backend, ensure_until_ready, take_in
from tasks.running_platform import Platform, use_platform


async def run_engine(stop: asyncio.Event) -> None:
    """Run an engine with the settings of this process until `stop`."""
    settings = load_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    platform = Platform(settings, Database(settings.secret("database_url")), Mailer(settings), owner)
    use_platform(platform)
    try:
        backends = await take_in(platform)
        ensuring = asyncio.create_task(_ensure(platform, backends))
        async with Recorder(worker_name=f"engine on {socket.gethostname()}") as recorder:
            if settings.backends_file is None:
                await ensuring
            await Engine(platform, recorder).run(stop)
        ensuring.cancel()
        await asyncio.wait([ensuring])
    finally:
        await platform.close()


async def _ensure(platform: Platform, backends: Sequence[ListedBackend]) -> None:
    """Have the seats of all backends made; only a platform that is all on this machine can't do without them."""
    if platform.settings.backends_file is None:
        await ensure_backend(platform, backends[0])
    else:
        await asyncio.gather(*(ensure_until_ready(platform, each) for each in backends))


def main() -> None:
    """Run the engine in a thread of its own until SIGTERM or SIGINT.

    Prefect takes over SIGTERM in the main thread while a flow runs there, and would end runs that should
    be finished; so the main thread only waits for the signal.
    """
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    failure: list[BaseException] = []

    def work() -> None:
        try:
            loop.run_until_complete(run_engine(stop))
        except BaseException as error:
            # What is refused says what to do itself; where in the code it was refused helps nobody.
            is_fault = not isinstance(error, Refused)
            logging.getLogger(__name__).error("the engine has stopped: %s", error, exc_info=is_fault)
            failure.append(error)
            told_to_stop.set()

    thread = threading.Thread(target=work, name="engine")
    thread.start()
    told_to_stop.wait()
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    raise SystemExit(1 if failure else 0)


if __name__ == "__main__":
    main()

"""The platform's backends: taken into the database, and their seats made on each machine."""

from __future__ import annotations

import asyncio
import logging

from models.backend_list import ListedBackend
from models.errors import WodError
from models.rules.booking import retry_delay
from models.store.backends import note_backend_failure, offer_backend, take_in_backends
from models.tables import Backend, utc_now
from tasks.listed_backends import listed_backends
from tasks.running_platform import Platform
from tasks.seats import ensure_seats

logger = logging.getLogger(__name__)


async def take_in(platform: Platform) -> tuple[ListedBackend, ...]:
    """Write down which backends the platform has, and return them; no machine is asked.

    Raises:
        Refused: backends_file_wrong; backend_renumbered or backend_in_use, as take_in_backends does.

    """
    listed = listed_backends(platform.settings)
    seats = {backend.number: backend.seats for backend in listed}
    async with platform.database.transaction() as session:
        await take_in_backends(session, [_row(backend) for backend in listed], seats)
    return listed


async def ensure_backend(platform: Platform, backend: ListedBackend) -> None:
    """Make a backend's seats on its machine and offer them; twice changes nothing.

    Raises:
        Refused: ssh_not_set; seat_in_use; account_taken, user_number_taken or homes_unreachable, as
            ensure_seats does.
        StepFailed: the machine can't be reached, or can't do it.

    """
    settings = platform.settings
    accounts = [settings.account(number) for number in range(1, backend.seats + 1)]
    await ensure_seats(
        platform.machine(_row(backend)),
        backend.homes or settings.homes,
        accounts,
        owner=str(settings.state_dir),
        isolation=backend.isolation or settings.isolation,
        uid_base=backend.uid_base,
    )
    async with platform.database.transaction() as session:
        await offer_backend(session, backend.number, accounts, utc_now())


async def ensure_until_ready(platform: Platform, backend: ListedBackend) -> None:
    """Try to make a backend's seats, ever more rarely, until they are there; note why not in between."""
    settings, attempts = platform.settings, 0
    while True:
        try:
            await ensure_backend(platform, backend)
        except WodError as error:
            logger.warning("backend %s: %s (%s) %s", backend.name, error.message, error.reason, error.detail)
            await _note_failure(platform, backend, error.message)
        except Exception as error:
            logger.exception("backend %s can't be made ready", backend.name)
            await _note_failure(platform, backend, f"Internal error ({type(error).__name__}).")
        else:
            return
        attempts += 1
        wait = retry_delay(attempts, settings.retry_first_seconds, settings.retry_longest_seconds)
        await asyncio.sleep(wait.total_seconds())


async def _note_failure(platform: Platform, backend: ListedBackend, failure: str) -> None:
    try:
        async with platform.database.transaction() as session:
            await note_backend_failure(session, backend.number, failure)
    except Exception as error:
        logger.warning("backend %s: its failure was not written down: %s", backend.name, type(error).__name__)


def _row(backend: ListedBackend) -> Backend:
    return Backend(
        name=backend.name,
        number=backend.number,
        hub_url=backend.hub_url,
        hub_api_url=backend.hub_api_url,
        machine=backend.machine,
        homes=str(backend.homes or ""),
        isolation=backend.isolation or "",
        seat_agent=str(backend.seat_agent or ""),
    )

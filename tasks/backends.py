"""The backend of the one-machine platform: its seats on this machine and in the database."""

from __future__ import annotations

from models.store.catalog import save_backend
from models.tables import Backend
from tasks.running_platform import Platform
from tasks.seats import ensure_seats

_NUMBER = 1


async def ensure_local_backend(platform: Platform) -> None:
    """Make this machine's seats and offer them; twice changes nothing.

    Raises:
        Refused: account_taken or homes_unreachable, as ensure_seats does.

    """
    settings = platform.settings
    backend = Backend(
        name=settings.backend_name,
        number=_NUMBER,
        hub_url=settings.url("hub"),
        hub_api_url=f"http://127.0.0.1:{settings.port('hub_api')}",
    )
    accounts = [settings.account(number) for number in range(1, settings.seats + 1)]
    await ensure_seats(
        platform.machine(backend),
        settings.homes,
        accounts,
        owner=str(settings.state_dir),
        isolation=settings.isolation,
    )
    async with platform.database.transaction() as session:
        await save_backend(session, backend, accounts)

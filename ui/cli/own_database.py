"""What commands do in the database of their platform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from models.errors import StepFailed

if TYPE_CHECKING:
    from models.store.database import Database

T = TypeVar("T")


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Return what `work` does with the database of this platform.

    Raises:
        Refused: as load_settings does, and secret_missing.
        StepFailed: database_unavailable.

    """
    from models.settings import load_settings
    from models.store.condition import DATABASE_AWAY
    from models.store.database import Database

    async def run() -> T:
        database = Database(load_settings().secret("database_url"))
        try:
            return await work(database)
        except DATABASE_AWAY:
            raise StepFailed(
                "The database of the platform does not answer. Is the platform up?", reason="database_unavailable"
            ) from None
        finally:
            await database.close()

    return asyncio.run(run())

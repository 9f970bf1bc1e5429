"""Taking a catalog of workshops in."""

from __future__ import annotations

from prefect import flow
from tasks.catalog_sync import sync_workshops


@flow(name="sync-catalog")
async def sync_catalog(source: str) -> None:
    """Offer the valid workshops of a folder or git repository, and retire those that vanished."""
    await sync_workshops(source)

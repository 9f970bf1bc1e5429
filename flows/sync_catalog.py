"""Taking a catalog of workshops in."""

from __future__ import annotations

from prefect import flow

from tasks.syncing import take_in_catalog


@flow(name="sync-catalog")
async def sync_catalog(source: str) -> None:
    """Offer the valid workshops of a folder or git repository, and retire those that vanished."""
    await take_in_catalog(source)

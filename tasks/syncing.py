"""The catalog's sync as a step that an engine runs for an operator."""

from __future__ import annotations

import logging

from tasks.catalog_sync import sync_workshops
from tasks.recording import step
from tasks.running_platform import current_platform

logger = logging.getLogger(__name__)


@step("take in catalog")
async def take_in_catalog(source: str) -> dict[str, list[str]]:
    """Sync a catalog; return the keys of the workshops by what happened to them, and log each problem."""
    platform = current_platform()
    report = await sync_workshops(platform.database, platform.settings, source)
    for problem in report.problems:
        logger.warning("%s", problem)
    return {
        "changed": report.changed,
        "unchanged": report.unchanged,
        "left out": report.left_out,
        "retired": report.retired,
    }

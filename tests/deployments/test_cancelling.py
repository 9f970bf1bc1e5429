"""Which engine cancels a run about no booking: not one that another works on, and always one that nobody does."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from deployments.engine.operators import Operators
from models.settings import Settings
from models.store.engines import beat
from models.tables import utc_now
from tasks.adapters.smtp import Mailer
from tasks.running_platform import Platform

pytestmark = pytest.mark.integration


class Wishes:
    """Prefect where an operator cancels a run in the moment in which it ends, or its engine is killed."""

    def __init__(self, run: FlowRun) -> None:
        self.run = run
        self.cancelled: list[UUID] = []

    async def look(self) -> None:
        """Prefect is there."""

    async def cancelling(self) -> list[FlowRun]:
        return [self.run]

    async def scheduled(self) -> list[FlowRun]:
        return []

    async def mark_cancelled(self, run_id: UUID) -> None:
        self.cancelled.append(run_id)


@pytest.mark.parametrize(
    ("engine", "is_cancelled"), [("engine-1", True), ("engine-2", False), ("engine-gone", True), ("", True)]
)
async def test_a_run_that_nobody_works_on_is_cancelled(database, tmp_path, engine, is_cancelled):
    settings = Settings(state_dir=tmp_path)
    platform = Platform(settings, database, Mailer(settings), "engine-1")
    async with database.transaction() as session:
        for owner in ("engine-1", "engine-2"):
            await beat(session, owner, utc_now(), sees_prefect=True)
    wishes = Wishes(FlowRun(flow_id=uuid4(), labels={"wod.engine": engine}))
    await Operators(platform, wishes, bookings=None).obey()
    assert wishes.cancelled == ([wishes.run.id] if is_cancelled else [])

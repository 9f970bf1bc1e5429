"""Health on a real platform: it tells of each part that is stopped, and that it is back."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from deployments.rehearsal.own_platform import OwnPlatform, own_platform
from deployments.stack.plan import read_plan
from deployments.stack.supervision import Supervisor
from ui.api.client import ApiClient
from ui.api.schemas import Part

pytestmark = [pytest.mark.integration, pytest.mark.fault]


def wrong_parts(api: ApiClient, expected: set[str], timeout_seconds: float = 60) -> dict[str, Part]:
    """Return the parts that are not well, once they are the expected ones."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = {name: part for name, part in api.health().parts.items() if not part.ok}
        if set(found) == expected or time.monotonic() > deadline:
            assert set(found) == expected, found
            return dict(found)
        time.sleep(0.3)


def supervisor_of(platform: OwnPlatform) -> Supervisor:
    plan = read_plan(platform.layout)
    assert plan is not None
    return Supervisor(Path(plan.socket))


def stop(supervisor: Supervisor, service: str) -> None:
    """Stop a service, also one that takes longer than supervisord's answer may."""
    with suppress(TimeoutError):
        supervisor.stop(service)


@pytest.mark.timeout(400)
def test_each_part_that_stops_is_told() -> None:
    with own_platform(seats=1) as platform, ApiClient(platform.api_url) as api:
        supervisor = supervisor_of(platform)
        wrong_parts(api, set())
        stop(supervisor, "engine")
        assert wrong_parts(api, {"engine"})["engine"].message.startswith("No engine runs")
        stop(supervisor, "hub")
        supervisor.start("engine")
        assert "The hub does not answer" in wrong_parts(api, {"backends"})["backends"].message
        supervisor.start("hub")
        wrong_parts(api, set())
        stop(supervisor, "prefect")
        assert "Prefect does not answer" in wrong_parts(api, {"prefect"})["prefect"].message
        supervisor.start("prefect")
        wrong_parts(api, set())

"""Health on a real platform: it tells of each part that is stopped, and that it is back."""

from __future__ import annotations

from contextlib import suppress

import pytest
from eventually import until
from faults.bursts import supervisor_of

from deployments.rehearsal.own_platform import own_platform
from deployments.stack.supervision import Supervisor
from ui.api.client import ApiClient
from ui.api.schemas import Part

pytestmark = [pytest.mark.integration, pytest.mark.fault]


def wrong_parts(api: ApiClient, expected: set[str], timeout_seconds: float = 60) -> dict[str, Part]:
    """Return the parts that are not well, once they are the expected ones."""
    found: dict[str, Part] = {}

    def are_expected() -> bool:
        found.clear()
        found.update((name, part) for name, part in api.health().parts.items() if not part.ok)
        return set(found) == expected

    until(are_expected, lambda: f"what is not well is {expected or 'nothing'}, but {found}", timeout_seconds)
    return found


def stop(supervisor: Supervisor, service: str) -> None:
    """Stop a service, also one that takes longer than supervisord's answer may."""
    with suppress(TimeoutError):
        supervisor.stop(service)
    until(lambda: supervisor.services()[service].state == "stopped", f"{service} is stopped", 60)


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

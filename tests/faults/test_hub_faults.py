"""A hub whose spawns fail, hang or come up slowly delays no mail and leaks no seat."""

from __future__ import annotations

import time

import pytest
from eventually import eventually
from faults.bursts import Burst, check_truths, leave_all, settled

from deployments.rehearsal.own_platform import own_platform

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(600)]

# Spawns really begin, and then meet the fault that the file names now.
HUB_CONFIG = """
import asyncio
from pathlib import Path

class FaultySpawner(c.JupyterHub.spawner_class):
    async def start(self):
        fault = Path({fault_file!r}).read_text()
        with Path({fault_file!r} + ".met").open("a") as met:
            print(fault, file=met)
        if fault == "failing_spawn":
            raise RuntimeError("no server today")
        if fault == "hanging_spawn":
            await asyncio.sleep(3600)
        if fault == "slow_spawn":
            await asyncio.sleep(6)
        return await super().start()

c.JupyterHub.spawner_class = FaultySpawner
c.Spawner.start_timeout = 15
"""


@pytest.fixture(scope="module")
def fault_file(tmp_path_factory):
    return tmp_path_factory.mktemp("hub") / "fault"


@pytest.fixture(scope="module")
def platform(fault_file):
    fault_file.write_text("none")
    config = fault_file.with_name("hub_config.py")
    config.write_text(HUB_CONFIG.format(fault_file=str(fault_file)))
    with own_platform(hub_extra_config=config, prestart_servers=True, prestart_limit=2) as running:
        yield running


@pytest.mark.parametrize("fault", ["failing_spawn", "hanging_spawn", "slow_spawn"])
async def test_students_get_their_credentials_and_seats_come_back(platform, fault_file, fault):
    fault_file.write_text(fault)
    burst = Burst(platform, "WKSHP-Python-First-Steps", f"{fault}-".replace("_", "-"), count=4)
    begun = time.monotonic()
    await burst.book()
    bookings = await settled(platform, burst, 30)
    assert time.monotonic() - begun < 15, "a spawn held the mails up"
    assert {booking.state for booking in bookings.values()} == {"ready"}
    await check_truths(platform, bookings)
    met = fault_file.with_name("fault.met")
    await eventually(lambda: met.exists() and fault in met.read_text(), "a spawn meets the fault")
    await leave_all(platform, bookings)

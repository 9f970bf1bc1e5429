"""Real components are killed, stopped and starved in the middle of a burst; in the end all is well."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from faults.bursts import (
    Burst,
    check_no_seat_leaks,
    check_truths,
    kill,
    leave_all,
    one_is_ready,
    settled,
    supervisor_of,
)

from deployments.rehearsal.own_platform import own_platform

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]

WORKSHOP = "WKSHP-Python-First-Steps"
SETTINGS = {
    "lease_seconds": 6,
    "sweep_seconds": 1,
    "retry_longest_seconds": 5,
    "prepare_limit_seconds": 120,
}


@pytest.fixture(scope="module")
def platform():
    with own_platform(**SETTINGS) as running:
        yield running


async def live_through(platform, name, fault, *, timeout_seconds=150):
    """Let a burst meet a fault, and hold that it ends well; then free the seats again."""
    burst = Burst(platform, WORKSHOP, name)
    booking = asyncio.create_task(burst.book())
    await fault()
    await booking
    bookings = await settled(platform, burst, timeout_seconds)
    assert not burst.refused
    await check_truths(platform, bookings)
    await leave_all(platform, bookings)
    await check_no_seat_leaks(platform)
    return bookings


@pytest.mark.parametrize("service", ["engine", "hub", "prefect", "api"])
@pytest.mark.parametrize("after_seconds", [0.2, 1.5, 4.0])
async def test_kill_9_in_a_burst(platform, service, after_seconds):
    async def fault():
        await asyncio.sleep(after_seconds)
        kill(platform, service)

    bookings = await live_through(platform, f"{service}-{after_seconds}-", fault)
    assert {booking.state for booking in bookings.values()} == {"ready"}


async def test_a_run_whose_engine_is_killed_after_the_work_is_closed_by_the_next(platform):
    async def fault():
        # A mail that hangs keeps the runs of bookings open that are ready.
        kill(platform, "mailbox", signal.SIGSTOP)
        await one_is_ready(platform, "left-")
        kill(platform, "engine")
        kill(platform, "mailbox", signal.SIGCONT)

    bookings = await live_through(platform, "left-", fault)
    assert {booking.state for booking in bookings.values()} == {"ready"}


async def test_postgresql_restarts(platform):
    async def fault():
        await asyncio.sleep(1)
        kill(platform, "database", signal.SIGINT)  # a fast shutdown: all connections are cut

    bookings = await live_through(platform, "database-", fault)
    assert {booking.state for booking in bookings.values()} == {"ready"}


@pytest.mark.parametrize("how", ["hung", "down"])
async def test_the_mail_server_is_away_for_a_minute(platform, how):
    async def hung():
        kill(platform, "mailbox", signal.SIGSTOP)
        await asyncio.sleep(60)
        kill(platform, "mailbox", signal.SIGCONT)

    async def down():
        await asyncio.to_thread(supervisor_of(platform).stop, "mailbox")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", platform.settings.port("smtp"))
        await asyncio.sleep(60)
        await asyncio.to_thread(supervisor_of(platform).start, "mailbox")

    fault = {"hung": hung, "down": down}[how]
    bookings = await live_through(platform, f"mail-{how}-", fault, timeout_seconds=180)
    assert {booking.state for booking in bookings.values()} == {"ready"}


@pytest.fixture
def small_disk():
    """Yield a folder on a disk of its own that holds a few homes and no more."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    with tempfile.TemporaryDirectory(prefix="wod-disk-") as folder:
        Path(folder).chmod(0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k,mode=755", "tmpfs", folder], check=True)
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)


async def test_a_disk_that_is_full_when_notebooks_are_delivered(small_disk):
    with own_platform(seats_dir=small_disk / "seats", **SETTINGS | {"prepare_limit_seconds": 12}) as platform:
        burst = Burst(platform, WORKSHOP, "full-")
        await burst.book()
        bookings = await settled(platform, burst, 120)
        await check_truths(platform, bookings)
        failed = [booking for booking in bookings.values() if booking.state == "failed"]
        assert 0 < len(failed) < burst.count
        assert all("full" in booking.failure for booking in failed)
        await leave_all(platform, bookings)
        await check_no_seat_leaks(platform)

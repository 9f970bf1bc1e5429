"""What is delivered to a seat: whole or not at all, and nothing that would leave the home."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tarfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest
from seat_samples import (
    Seats,
    ensure,
    member,
    run,
    tar_of,
    workshop,
)

from models.errors import Refused, StepFailed
from tasks.seats import (
    lock_seat,
    open_seat,
    wipe_seat,
)

pytestmark = pytest.mark.integration
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


LINK, HARD_LINK = tarfile.SYMTYPE, tarfile.LNKTYPE
UNSAFE = {
    "absolute": tar_of({"/etc/cron.d/evil": "x"}),
    "up": tar_of({"a/../../evil": "x"}),
    "device": tar_of({}, member("disk", tarfile.BLKTYPE)),
    "pipe": tar_of({}, member("pipe", tarfile.FIFOTYPE)),
    "hard link": tar_of({"a": "x"}, member("b", HARD_LINK, "a")),
    "link out": tar_of({}, member("a", LINK, "/etc/shadow")),
    "link up": tar_of({}, member("a/b", LINK, "../../x")),
    "links together": tar_of(
        {"d/f": "x"}, member("d/e", LINK, ".."), member("f", LINK, "d/e/.."), member("g", LINK, "f/x")
    ),
    "through a link": tar_of({"a": "x", "a/b": "x"}),
    "twice": tar_of({"a": "x"})[:1024] + tar_of({"a": "y"}),
}


@pytest.mark.parametrize("content", list(UNSAFE.values()), ids=list(UNSAFE))
async def test_content_that_would_leave_the_home_is_refused_and_the_home_stays(
    seats: Seats, content: bytes
) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    before = seats.files()
    with pytest.raises(Refused) as raised:
        await open_seat(seats.machine, seats.place(2), "secret", content)
    assert raised.value.reason == "content_unsafe"
    assert (seats.files(), seats.incoming()) == (before, [])
    assert not seats.lets_in("secret")


async def test_content_that_breaks_off_is_refused_and_the_home_stays(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    before = seats.files()
    whole = tar_of({"a": os.urandom(50_000), "b": os.urandom(50_000)})
    for content in (b"", b"no tar at all", whole[:70_000]):
        with pytest.raises(StepFailed) as raised:
            await open_seat(seats.machine, seats.place(2), "secret", content)
        assert raised.value.reason == "content_broken"
    assert (seats.files(), seats.incoming()) == (before, [])


async def test_links_inside_the_home_are_delivered(seats: Seats) -> None:
    content = tar_of({"w/data/one": "1"}, member("w/link", LINK, "data/one"), member("w/up", LINK, "../w/data"))
    await open_seat(seats.machine, seats.place(1), "secret", content)
    assert (seats.home / "w/link").read_text() == (seats.home / "w/up/one").read_text() == "1"
    assert (seats.home / "w/link").lstat().st_uid in (seats.student(), os.geteuid())


async def test_an_agent_killed_at_any_point_leaves_the_old_home_or_the_new_one(seats: Seats) -> None:
    files = 150
    started = time.monotonic()
    await open_seat(seats.machine, seats.place(1), "secret", tar_of({f"f/{n}": "1" for n in range(files)}))
    usual = time.monotonic() - started
    chance = random.Random(2)  # noqa: S311
    outcomes = set()
    for generation in range(2, 17):
        content = tar_of({f"f/{n}": str(generation) for n in range(files)})
        opening = asyncio.create_task(
            open_seat(seats.machine, seats.place(generation), f"Secret-{generation}", content)
        )
        await asyncio.sleep(usual * chance.uniform(0.1, 1.1))
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
        with suppress(StepFailed):
            await opening
        found = seats.files()
        assert len(found) == files
        assert len(set(found.values())) == 1
        outcomes.add(set(found.values()) == {str(generation).encode()})
        await open_seat(seats.machine, seats.place(generation), f"Secret-{generation}", content)
        assert set(seats.files().values()) == {str(generation).encode()}
        assert seats.incoming() == []
        assert seats.lets_in(f"Secret-{generation}")
    assert False in outcomes


@pytest.fixture
async def small(empty: Seats) -> AsyncIterator[Seats]:
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    empty.homes.mkdir()
    options = f"size=2m,nr_inodes=500,mode=0711,uid={empty.uid},gid={empty.uid}"
    if run("mount", "-t", "tmpfs", "-o", options, "wod-test", empty.homes):
        pytest.skip("nothing can be mounted here")
    try:
        await ensure(empty)
        yield empty
    finally:
        run("umount", "--lazy", empty.homes)


async def test_content_that_does_not_fit_is_reported_and_leaves_the_old_home(small: Seats) -> None:
    await open_seat(small.machine, small.place(1), "secret", workshop())
    before = small.files()
    with pytest.raises(StepFailed) as raised:
        await open_seat(small.machine, small.place(2), "secret", tar_of({"big": bytes(5_000_000)}))
    assert raised.value.reason == "disk_full"
    assert str(small.homes) in raised.value.message
    assert (small.files(), small.incoming()) == (before, [])
    assert await open_seat(small.machine, small.place(2), "secret", workshop()) is True


async def test_a_student_who_filled_the_disk_can_be_locked_out_and_wiped(small: Seats) -> None:
    await open_seat(small.machine, small.place(1), "secret", workshop())
    fill = "cat /dev/zero > zeros; n=0; while touch file_$n; do n=$((n+1)); done"
    small.start("sh", "-c", fill + " 2>/dev/null").wait()
    assert await lock_seat(small.machine, small.place(1)) is True
    assert not small.lets_in("secret")
    assert await wipe_seat(small.machine, small.place(1)) is True
    assert small.files() == {}
    assert await open_seat(small.machine, small.place(2), "secret", workshop()) is True

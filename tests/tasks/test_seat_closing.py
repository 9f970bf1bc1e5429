"""Locking, wiping and collecting seats, whatever their students left there."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from eventually import until
from seat_samples import (
    WORKSHOP,
    Seats,
    living,
    notebook,
    workshop,
)

from tasks.seats import (
    SeatWork,
    collect_seat,
    halt_seats,
    lock_seat,
    measure_seat,
    open_seat,
    wipe_seat,
)

pytestmark = pytest.mark.integration
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


async def test_locking_shuts_the_student_out_and_ends_everything(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    stubborn = "trap '' TERM HUP; sleep 300 & while :; do sleep 0.1; done"
    running = [seats.start("sleep", "300"), seats.start("sh", "-c", stubborn)]
    other = seats.start("sleep", "300", seat=1)
    assert await lock_seat(seats.machine, seats.place(1)) is True
    assert [each.wait(1) != 0 for each in running] == [True, True]
    assert not seats.lets_in("secret")
    assert other.poll() is None
    other.kill()
    other.wait()
    assert await lock_seat(seats.machine, seats.place(1)) is False


async def test_processes_that_multiply_are_ended(seats: Seats) -> None:
    if seats.isolation == "folders":
        pytest.skip("folders share an account with the platform: nobody can outrun a fork bomb there")
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    program = "import os, signal, time\nsignal.signal(15, 1)\nos.setpriority(0, 0, 19)\n"
    program += "while True:\n    if os.fork():\n        time.sleep(0.05)\n        os._exit(0)\n"
    seats.start(PYTHON, "-c", program)
    until(lambda: living(seats.student()), "it multiplies")
    await lock_seat(seats.machine, seats.place(1))
    assert living(seats.student()) == []


async def test_halting_ends_the_processes_of_all_seats(seats: Seats) -> None:
    running = [seats.start("sleep", "300", seat=seat) for seat in range(3)]
    assert await halt_seats(seats.machine, seats.homes, isolation=seats.isolation) is True
    assert all(each.wait(1) for each in running)
    assert await halt_seats(seats.machine, seats.homes, isolation=seats.isolation) is False


async def test_wiping_leaves_nothing_of_the_student(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    deep = "import os\nfor n in range(1500):\n    os.mkdir('a folder')\n    os.chdir('a folder')\n"
    assert seats.start(PYTHON, "-c", deep).wait() == 0
    seats.start("sh", "-c", "ln -s / root; mkfifo pipe; mkdir shut; touch shut/x; chmod 0 shut").wait()
    scratch = [Path(folder) / f"{seats.accounts[0]}-left" for folder in ("/tmp", "/var/tmp", "/dev/shm")]
    for path in scratch:
        assert seats.start("sh", "-c", f"mkdir {path} && echo secret > {path}/file").wait() == 0
    mine = Path(tempfile.mkstemp()[1])
    sleeper = seats.start("sleep", "300")
    try:
        assert await wipe_seat(seats.machine, seats.place(1)) is True
        assert sleeper.wait(1) != 0
        assert seats.files() == {}
        assert {path.name for path in seats.home.iterdir()} <= {path.name for path in Path("/etc/skel").iterdir()}
        assert seats.incoming() == []
        assert not seats.lets_in("secret")
        assert mine.exists()
        if seats.isolation == "accounts":
            assert [path for path in scratch if path.exists()] == []
        assert await wipe_seat(seats.machine, seats.place(1)) is False
    finally:
        mine.unlink()
        for path in scratch:
            shutil.rmtree(path, ignore_errors=True)


async def test_what_would_start_later_is_removed(seats: Seats) -> None:
    if seats.isolation == "folders":
        pytest.skip("folders have no account that cron knows")
    tables = Path("/var/spool/cron/crontabs")
    was_there = tables.is_dir()
    tables.mkdir(parents=True, exist_ok=True)
    table, other = tables / seats.accounts[0], tables / f"{seats.prefix}other"
    try:
        table.write_text("* * * * * true\n")
        other.write_text("")
        await open_seat(seats.machine, seats.place(1), "secret", workshop())
        assert table.exists()
        await lock_seat(seats.machine, seats.place(1))
        assert not table.exists()
        assert other.exists()
    finally:
        table.unlink(missing_ok=True)
        other.unlink(missing_ok=True)
        if not was_there:
            tables.rmdir()


async def collect(seats: Seats, generation: int, limit_mb: float = 5) -> tuple[SeatWork, Path]:
    target = seats.homes.parent / "work.zip"
    place = seats.place(generation)
    return await collect_seat(seats.machine, place, WORKSHOP, target, limit_mb), target


async def test_work_is_counted_and_packed_and_always_the_same(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop(None))
    seats.write(f"{WORKSHOP}/0-ReadMeFirst.ipynb", notebook(1, 2, None))
    seats.write(f"{WORKSHOP}/1-More.ipynb", notebook(7))
    seats.write(f"{WORKSHOP}/2-Empty.ipynb", notebook(None, None, source=" \n"))
    seats.write(f"{WORKSHOP}/below/3-Deeper.ipynb", notebook(None))
    seats.write("notes.txt", "mine")
    for cache in (f"{WORKSHOP}/.ipynb_checkpoints/x.ipynb", ".cache/big", ".ssh/id_rsa", "w/__pycache__/x.pyc"):
        seats.write(cache, "not work")
    assert await lock_seat(seats.machine, seats.place(1)) is True
    work, target = await collect(seats, 1)
    assert (work.cells_executed, work.cells_total, work.archived, work.left_out) == (3, 4, True, ())
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("notes.txt") == b"mine"
    made = (
        "0-ReadMeFirst.ipynb",
        "1-More.ipynb",
        "2-Empty.ipynb",
        "Pictures/one.png",
        "below/3-Deeper.ipynb",
        "run.sh",
    )
    assert names == [*(f"{WORKSHOP}/{name}" for name in made), "notes.txt"]
    assert work.files == len(names)
    first = target.read_bytes()
    again, target = await collect(seats, 1)
    assert (again, target.read_bytes()) == (work, first)


async def test_measuring_counts_the_same_and_disturbs_nobody(seats: Seats) -> None:
    place = seats.place(1)
    assert await measure_seat(seats.machine, place, WORKSHOP) == SeatWork()
    await open_seat(seats.machine, place, "secret", workshop())
    seats.write(f"{WORKSHOP}/0-ReadMeFirst.ipynb", notebook(1, 2, None))
    at_work = seats.start("sleep", "300")
    measured = await measure_seat(seats.machine, place, WORKSHOP)
    assert at_work.poll() is None
    assert seats.lets_in("secret")
    at_work.kill()
    at_work.wait()
    work, _ = await collect(seats, 1)
    assert (measured.cells_executed, measured.cells_total) == (work.cells_executed, work.cells_total) == (2, 3)
    assert not measured.archived
    await wipe_seat(seats.machine, place)
    assert await measure_seat(seats.machine, place, WORKSHOP) == SeatWork()


async def test_what_was_collected_is_not_replaced_once_the_seat_is_wiped(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop(1))
    _, target = await collect(seats, 1)
    kept = target.read_bytes()
    await wipe_seat(seats.machine, seats.place(1))
    work, _ = await collect(seats, 1)
    assert work == SeatWork()
    assert target.read_bytes() == kept
    assert (await collect(seats, 9))[0] == SeatWork()
    assert target.read_bytes() == kept


async def test_a_generation_that_was_never_let_in_collects_nobody_elses_work(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1, booking="forgotten"), "secret", workshop(1))
    seats.write("mine.txt", "of generation 1")
    running = seats.start("sleep", "300")
    for _ in range(2):
        await lock_seat(seats.machine, seats.place(2, booking="restored"))
        assert not seats.lets_in("secret")
        work = await collect_seat(
            seats.machine,
            seats.place(2, booking="restored"),
            WORKSHOP,
            seats.homes.parent / "work.zip",
            5,
        )
        assert work == SeatWork()
    assert running.wait(1) != 0
    assert not (seats.homes.parent / "work.zip").exists()
    assert await wipe_seat(seats.machine, seats.place(2, booking="restored")) is True
    assert seats.files() == {}


async def test_a_hostile_home_gives_away_nothing_and_holds_nobody_up(seats: Seats, tmp_path: Path) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop(1, None))
    secret = seats.homes.parent / "secret-file"
    secret.write_text("THE-SECRET")
    secret.chmod(0o600)
    folder = seats.home / WORKSHOP
    (folder / "1-link.ipynb").symlink_to(secret)
    (folder / "link").symlink_to("/etc/shadow")
    (folder / "root").symlink_to("/")
    (folder / "loop").symlink_to(".")
    os.mkfifo(folder / "2-pipe.ipynb")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(seats.home / "socket"))
    for name, text in {
        "3-deep": "[" * 200_000,
        "4-list": "[1, 2]",
        "5-cells": '{"cells": {"a": 1}}',
        "6-odd": '{"cells": [1, null, "x", {"cell_type": "code", "source": 7}, {"cell_type": "code"}]}',
        "7-empty": "",
        "8-bytes": "\0\udcff",
        "9-large": '{"cells": [' + " " * 21_000_000,
    }.items():
        (folder / f"{name}.ipynb").write_text(text, errors="surrogateescape")
    for name in ("new\nline", "back\\slash", "..\\..\\up", "tab\t", "\udcff", "a" * 255):
        (folder / name).write_text("odd name")
    (folder / "folder.ipynb").mkdir()
    with (seats.home / "sparse").open("wb") as file:
        file.truncate(10**12)
    many = seats.home / "many"
    many.mkdir()
    for number in range(10_000):
        (many / f"{number:05}").touch()
    seats.give()
    os.link(secret, folder / "hard.ipynb")
    os.link(secret, folder / "hard")
    assert seats.start("sh", "-c", "mkdir shut; touch shut/x; chmod 0 shut; chmod 0 many/00001").wait() == 0
    started = time.monotonic()
    work, target = await collect(seats, 1, limit_mb=1)
    assert time.monotonic() - started < 30
    assert (work.cells_executed, work.cells_total) == (1, 2)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert "THE-SECRET" not in archive.read(info).decode(errors="replace") or seats.isolation == "folders"
            assert not info.filename.startswith("/")
            assert ".." not in info.filename.split("/")
            assert info.filename.isprintable()
            assert "\\" not in info.filename
        left_out = archive.read("LEFT-OUT.txt").decode()
        assert sum(info.file_size for info in archive.infolist()) < 1_100_000
        assert f"{WORKSHOP}/0-ReadMeFirst.ipynb" in archive.namelist()
    for name in ("sparse", "link", "root", "loop", "2-pipe.ipynb", "socket", "9-large.ipynb"):
        assert name in left_out
    assert work.files > 9_000
    assert target.stat().st_size < 3_000_000

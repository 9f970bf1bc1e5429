"""The seat agent on this machine, as root with real accounts, and as a plain account with folders."""

from __future__ import annotations

import ast
import asyncio
import io
import os
import random
import shutil
import socket
import stat
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from seat_samples import (
    WORKSHOP,
    Seats,
    living,
    member,
    notebook,
    run,
    seats_on_this_machine,
    skip_unless_possible,
    tar_of,
    until,
    workshop,
)

from models.errors import Refused, Stale, StepFailed
from tasks.adapters.machine import Completed, LocalMachine
from tasks.seats import (
    SeatPlace,
    SeatWork,
    collect_seat,
    ensure_seats,
    halt_seats,
    lock_seat,
    open_seat,
    remove_seats,
    wipe_seat,
)

pytestmark = pytest.mark.integration
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


@pytest.fixture(params=["accounts", "folders"])
def empty(request: pytest.FixtureRequest) -> Iterator[Seats]:
    skip_unless_possible(request.param)
    with seats_on_this_machine(request.param) as seats:
        yield seats


@pytest.fixture
async def seats(empty: Seats) -> Seats:
    await ensure(empty)
    return empty


async def ensure(seats: Seats) -> bool:
    return await ensure_seats(
        seats.machine, seats.homes, seats.accounts, owner=seats.owner, isolation=seats.isolation
    )


async def collect(seats: Seats, generation: int, limit_mb: float = 5) -> tuple[SeatWork, Path]:
    target = seats.homes.parent / "work.zip"
    place = seats.place(generation)
    return await collect_seat(seats.machine, place, WORKSHOP, target, limit_mb), target


# Making and removing seats


async def test_seats_are_made_once_private_and_closed(empty: Seats) -> None:
    assert await ensure(empty) is True
    assert await ensure(empty) is False
    for number, account in enumerate(empty.accounts):
        found = (empty.homes / account).stat()
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == empty.student(number)
        assert not empty.lets_in("", number)
        assert not empty.lets_in("!", number)
    hidden = empty.start("ls", str(empty.homes))
    nosy = empty.start("cat", str(empty.homes / ".seats" / f"{empty.accounts[0]}.json"))
    if empty.isolation == "accounts":
        assert hidden.wait() != 0
        assert nosy.wait() != 0


async def test_removing_leaves_no_trace(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "secret", workshop())
    sleeper = seats.start("sleep", "300")
    owner, isolation = seats.owner, seats.isolation
    assert await remove_seats(seats.machine, seats.homes, owner=owner, isolation=isolation) is True
    assert sleeper.wait(10) != 0
    assert not seats.homes.exists()
    passwd = Path("/etc/passwd").read_text()
    assert not any(account in passwd for account in seats.accounts)


async def test_accounts_of_somebody_else_are_all_named_and_none_is_made(empty: Seats) -> None:
    if empty.isolation == "folders":
        pytest.skip("folders have no accounts")
    first, second, third = empty.accounts
    assert run("useradd", "-M", "-c", "a person", second) == run("groupadd", third) == 0
    try:
        with pytest.raises(Refused) as raised:
            await ensure(empty)
    finally:
        run("groupdel", third)
    assert raised.value.reason == "account_taken"
    assert second in raised.value.message
    assert third in raised.value.message
    assert first not in raised.value.message
    assert first not in Path("/etc/passwd").read_text()


async def test_an_account_that_is_no_seat_is_never_worked_on(seats: Seats) -> None:
    if seats.isolation == "folders":
        pytest.skip("folders have no accounts")
    for account in ("root", "nobody"):
        for work in (lock_seat, wipe_seat):
            with pytest.raises(Refused) as raised:
                await work(seats.machine, SeatPlace(account, 1, seats.homes, "accounts"))
            assert raised.value.reason == "account_taken"


@pytest.mark.parametrize("account", ["../up", "a/b", "", "A", "1a", "a b", ".seats", "-x", "é", "a" * 33])
async def test_names_that_lead_elsewhere_are_refused(seats: Seats, account: str) -> None:
    with pytest.raises(Refused) as raised:
        await wipe_seat(seats.machine, SeatPlace(account, 1, seats.homes, seats.isolation))
    assert raised.value.reason == "account_unusable"


async def test_homes_that_students_cannot_reach_are_refused(empty: Seats) -> None:
    if empty.isolation == "folders":
        pytest.skip("folders are reached by whoever runs the platform")
    empty.homes.parent.chmod(0o700)
    with pytest.raises(Refused) as raised:
        await ensure(empty)
    assert raised.value.reason == "homes_unreachable"
    assert "seats_dir" in raised.value.message


async def test_homes_that_somebody_else_can_change_are_refused(empty: Seats) -> None:
    empty.homes.mkdir()
    empty.homes.chmod(0o777)
    with pytest.raises(Refused) as raised:
        await ensure(empty)
    assert raised.value.reason == "homes_unsafe"


async def test_a_seat_that_was_never_made_is_reported(empty: Seats) -> None:
    with pytest.raises(StepFailed) as raised:
        await open_seat(empty.machine, empty.place(1), "secret", workshop())
    assert raised.value.reason == "seat_missing"


async def test_a_damaged_record_is_named(seats: Seats) -> None:
    record = seats.homes / ".seats" / f"{seats.accounts[0]}.json"
    record.write_bytes(bytes(512))
    with pytest.raises(StepFailed) as raised:
        await lock_seat(seats.machine, seats.place(1))
    assert raised.value.reason == "record_damaged"
    assert str(record) in raised.value.message


# Opening


async def test_an_open_seat_holds_the_content_and_lets_its_student_in(seats: Seats) -> None:
    assert await open_seat(seats.machine, seats.place(1), "Secret-1", workshop(None)) is True
    assert seats.lets_in("Secret-1")
    assert not seats.lets_in("Secret-2")
    names = ["0-ReadMeFirst.ipynb", "Pictures/one.png", "run.sh"]
    assert list(seats.files()) == [f"{WORKSHOP}/{name}" for name in names]
    assert stat.S_IMODE(seats.home.stat().st_mode) == 0o700
    assert {path.stat().st_uid for path in seats.home.rglob("*")} == {seats.student()}
    assert os.access(seats.home / WORKSHOP / "run.sh", os.X_OK)
    assert seats.start("touch", f"{WORKSHOP}/mine").wait() == 0
    if seats.isolation == "accounts" and Path("/etc/skel/.bashrc").exists():
        assert (seats.home / ".bashrc").stat().st_uid == seats.student()


async def test_a_seat_in_use_keeps_its_home_when_it_is_opened_again(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "Secret-1", workshop(None))
    seats.write("mine.txt", "typed for an hour")
    sleeper = seats.start("sleep", "300")
    assert await open_seat(seats.machine, seats.place(1), "Secret-1", workshop(None)) is False
    assert seats.files()["mine.txt"] == b"typed for an hour"
    assert seats.lets_in("Secret-1")
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


async def test_a_newer_generation_takes_over_from_one_that_never_ended(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(1), "Secret-1", workshop(None))
    seats.write("mine.txt", "of the student before")
    sleeper = seats.start("sleep", "300")
    assert await open_seat(seats.machine, seats.place(2), "Secret-2", workshop(None)) is True
    assert sleeper.wait(10) != 0
    assert "mine.txt" not in seats.files()
    assert seats.lets_in("Secret-2")
    assert not seats.lets_in("Secret-1")


async def test_work_of_a_passed_generation_is_refused_and_changes_nothing(seats: Seats) -> None:
    await open_seat(seats.machine, seats.place(5), "Secret-5", workshop(None))
    seats.write("mine.txt", "of generation 5")
    before = seats.files(), seats.record()
    late = seats.place(4)
    for work in (
        lambda: open_seat(seats.machine, late, "Secret-4", workshop()),
        lambda: lock_seat(seats.machine, late),
        lambda: collect(seats, 4),
        lambda: wipe_seat(seats.machine, late),
    ):
        with pytest.raises(Stale) as raised:
            await work()
        assert raised.value.reason == "seat_passed_on"
    assert (seats.files(), seats.record()) == before
    assert seats.lets_in("Secret-5")


@pytest.mark.parametrize("closing", [lock_seat, wipe_seat])
async def test_a_closed_generation_is_not_opened_again(
    seats: Seats, closing: Callable[[LocalMachine, SeatPlace], object]
) -> None:
    for is_opened in (False, True):
        generation = 2 if is_opened else 1
        if is_opened:
            await open_seat(seats.machine, seats.place(generation), "secret", workshop())
        await closing(seats.machine, seats.place(generation))  # type: ignore[misc]
        with pytest.raises(Stale) as raised:
            await open_seat(seats.machine, seats.place(generation), "secret", workshop())
        assert raised.value.reason == "seat_closed"
        assert not seats.lets_in("secret")


async def test_of_two_generations_at_once_the_newer_one_has_the_seat(seats: Seats) -> None:
    async def open_one(generation: int) -> bool:
        content = tar_of({f"file-{n}": str(generation) for n in range(50)})
        return await open_seat(seats.machine, seats.place(generation), f"Secret-{generation}", content)

    done = await asyncio.gather(*(open_one(n) for n in range(1, 7)), return_exceptions=True)
    assert all(each is True or isinstance(each, Stale) for each in done)
    assert done[-1] is True
    assert set(seats.files().values()) == {b"6"}
    assert seats.lets_in("Secret-6")


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


class Watched(LocalMachine):
    """This machine, remembering what was shown to everybody on it."""

    def __init__(self, python: Sequence[str]) -> None:
        super().__init__("watched", python)
        self.shown: list[str] = []

    async def run(self, argv: Sequence[str], **options: object) -> Completed:  # type: ignore[override]
        self.shown += argv
        return await super().run(argv, **options)  # type: ignore[arg-type]


async def test_no_secret_is_ever_an_argument(seats: Seats) -> None:
    machine = Watched(seats.machine.python)
    await open_seat(machine, seats.place(1), "My-Secret", tar_of({"a": "the content"}))
    assert "My-Secret" not in "".join(machine.shown)
    assert "the content" not in "".join(machine.shown)
    with pytest.raises(StepFailed) as raised:
        await open_seat(machine, seats.place(2), "My-Secret", b"broken")
    assert "My-Secret" not in f"{raised.value.message}{raised.value.detail}"


# Closing


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


# Collecting


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


# A full disk


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


# What travels


def test_the_agent_needs_nothing_but_an_old_python() -> None:
    adapters = Path(__file__).parents[2] / "tasks/adapters"
    parts = [adapters / f"seat_{name}.py" for name in ("agent", "content", "home", "reader")]
    own = {f"tasks.adapters.{path.stem}" for path in parts}
    for path in parts:
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module in own or (node.module or "").split(".")[0] in sys.stdlib_module_names
            elif isinstance(node, ast.Import):
                assert all(alias.name in sys.stdlib_module_names for alias in node.names)


def test_samples_are_what_they_seem() -> None:
    with tarfile.open(fileobj=io.BytesIO(workshop(None))) as archive:
        assert f"{WORKSHOP}/0-ReadMeFirst.ipynb" in archive.getnames()

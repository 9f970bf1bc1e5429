"""The seat agent on this machine, as root with real accounts, and as a plain account with folders."""

from __future__ import annotations

import ast
import asyncio
import io
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from seat_samples import (
    WORKSHOP,
    Seats,
    ensure,
    run,
    tar_of,
    workshop,
)

from models.errors import Refused, Stale, StepFailed
from tasks.adapters.machine import Completed, LocalMachine
from tasks.seats import (
    SeatPlace,
    collect_seat,
    ensure_seats,
    lock_seat,
    open_seat,
    remove_seats,
    wipe_seat,
)

pytestmark = pytest.mark.integration
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


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


async def test_seats_of_another_platform_are_told_with_how_to_take_them_away(seats: Seats) -> None:
    if seats.isolation == "folders":
        pytest.skip("folders have no accounts")
    machine, names = seats.machine, seats.accounts
    with pytest.raises(Refused, match=f"wod down --purge --state {seats.owner}"):
        await ensure_seats(machine, seats.homes, names, owner="/another/state", isolation=seats.isolation)


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
        lambda: collect_seat(seats.machine, late, WORKSHOP, seats.homes.parent / "work.zip", 1),
        lambda: wipe_seat(seats.machine, late),
    ):
        with pytest.raises(Stale) as raised:
            await work()
        assert (raised.value.reason, raised.value.generation) == ("seat_passed_on", 5)
    assert (seats.files(), seats.record()) == before
    assert seats.lets_in("Secret-5")


async def test_two_bookings_of_one_generation_never_meet(seats: Seats) -> None:
    first, second = seats.place(1, booking="first"), seats.place(1, booking="second")
    await open_seat(seats.machine, first, "Secret-1", workshop(None))
    seats.write("mine.txt", "of the first")
    assert await open_seat(seats.machine, first, "Secret-1", workshop(None)) is False
    before = seats.files(), seats.record()
    for work in (
        lambda: open_seat(seats.machine, second, "Secret-2", workshop()),
        lambda: lock_seat(seats.machine, second),
        lambda: collect_seat(seats.machine, second, WORKSHOP, seats.homes.parent / "work.zip", 1),
        lambda: wipe_seat(seats.machine, second),
    ):
        with pytest.raises(Stale) as raised:
            await work()
        assert (raised.value.reason, raised.value.generation) == ("seat_passed_on", 1)
    assert (seats.files(), seats.record()) == before
    assert seats.lets_in("Secret-1")


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


# What travels


def test_the_agent_needs_nothing_but_an_old_python() -> None:
    adapters = Path(__file__).parents[2] / "tasks/adapters"
    names = ("folder_exchange", "seat_agent", "seat_content", "seat_home", "seat_reader")
    parts = [adapters / f"{name}.py" for name in names]
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

"""The seat agent as a program that is installed on a machine, and the user numbers that it gives accounts."""

from __future__ import annotations

import asyncio
import pwd
from pathlib import Path
from secrets import randbelow

import pytest
from seat_samples import WORKSHOP, Seats, ensure, notebook, workshop

from models.errors import Refused, StepFailed
from tasks.adapters.machine import LocalMachine, Machine
from tasks.seats import (
    collect_seat,
    ensure_seats,
    halt_seats,
    lock_seat,
    open_seat,
    remove_seats,
    seat_agent_program,
    wipe_seat,
)

pytestmark = pytest.mark.integration


def install(seats: Seats, program: bytes) -> Machine:
    """Return the seats' machine with a seat agent, and nothing else that could do the work."""
    path = seats.homes.parent / "seat-agent"
    path.write_bytes(program)
    path.chmod(0o755)
    *rights, _ = seats.machine.python
    return LocalMachine("the machine", python=("/nonexistent",), seat_agent=(*rights, str(path)))


async def test_an_installed_agent_does_all_the_work(empty: Seats, tmp_path: Path) -> None:
    seats, homes = empty, empty.homes
    machine = install(seats, seat_agent_program())
    place, isolation = seats.place(1), {"owner": seats.owner, "isolation": seats.isolation}
    assert await ensure_seats(machine, homes, seats.accounts, **isolation) is True
    assert await ensure(seats) is False, "an agent that travels finds it done otherwise"
    assert await open_seat(machine, place, "secret", workshop(1, None)) is True
    assert seats.lets_in("secret")
    seats.write(f"{WORKSHOP}/0-ReadMeFirst.ipynb", notebook(1, 2))
    assert await lock_seat(machine, place) is True
    work = await collect_seat(machine, place, WORKSHOP, tmp_path / "work.zip", 1)
    assert (work.cells_executed, work.cells_total) == (2, 2)
    assert await wipe_seat(machine, place) is True
    assert seats.files() == {}
    assert await halt_seats(machine, homes, isolation=seats.isolation) is False
    assert await remove_seats(machine, homes, **isolation) is True


async def test_an_agent_of_another_release_does_nothing_and_says_so(empty: Seats) -> None:
    program = seat_agent_program()
    version = program.split(b'VERSION = "')[1].split(b'"')[0]
    machine = install(empty, program.replace(version, b"another release!"))
    with pytest.raises(StepFailed) as raised:
        await ensure_seats(machine, empty.homes, empty.accounts, owner=empty.owner, isolation=empty.isolation)
    assert raised.value.reason == "seat_agent_differs"
    assert "Install the backend anew" in raised.value.message
    assert not empty.homes.exists()


async def test_an_agent_that_is_not_there_is_told(empty: Seats) -> None:
    machine = LocalMachine("the machine", seat_agent=("/nonexistent/seat-agent",))
    with pytest.raises(StepFailed) as raised:
        await wipe_seat(machine, empty.place(1))
    assert raised.value.reason == "seat_agent_broken"
    assert "/nonexistent/seat-agent" in raised.value.detail


async def test_an_agent_that_is_called_by_hand_says_what_it_wants(empty: Seats) -> None:
    [agent] = install(empty, seat_agent_program()).seat_agent[-1:]
    process = await asyncio.create_subprocess_exec(agent, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 5
    assert b"seat_agent_differs" in errors


async def ensure_from(seats: Seats, uid_base: int) -> bool:
    return await ensure_seats(
        seats.machine,
        seats.homes,
        seats.accounts,
        owner=seats.owner,
        isolation=seats.isolation,
        uid_base=uid_base,
    )


async def test_accounts_get_the_user_numbers_that_are_asked_for(empty: Seats) -> None:
    if empty.isolation != "accounts":
        pytest.skip("folders have no accounts")
    base = 100_000 + randbelow(800_000)
    await ensure_seats(empty.machine, empty.homes, empty.accounts[1:2], owner=empty.owner, isolation="accounts")
    own = pwd.getpwnam(empty.accounts[1]).pw_uid
    assert await ensure_from(empty, base) is True
    numbers = [pwd.getpwnam(account).pw_uid for account in empty.accounts]
    assert numbers == [base + 1, own, base + 3], "an account that is there keeps its number"
    assert await ensure_from(empty, base) is False


async def test_user_numbers_of_others_are_not_taken(empty: Seats) -> None:
    if empty.isolation != "accounts":
        pytest.skip("folders have no accounts")
    with pytest.raises(Refused) as raised:
        await ensure_from(empty, 65533)  # the first seat would be nobody
    assert raised.value.reason == "user_number_taken"
    assert "65534 (nobody)" in raised.value.message
    assert not [user for user in pwd.getpwall() if user.pw_name in empty.accounts]

"""What a machine promises, on this one, over ssh to a server of our own, and over ssh to OpenSSH."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncssh
import psutil
import pytest
from eventually import eventually
from seat_samples import WORKSHOP, workshop
from ssh_servers import QUICK, Keys, openssh_server, ssh_server

from models.errors import Stale, StepFailed
from tasks.adapters import ssh
from tasks.adapters.machine import LocalMachine, Machine, run_checked
from tasks.seats import SeatPlace, collect_seat, ensure_seats, open_seat, wipe_seat

pytestmark = pytest.mark.integration


@pytest.fixture(params=["local", "ssh", "openssh"])
async def machine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Machine]:
    if request.param == "local":
        yield LocalMachine("the machine")
        return
    keys = Keys(tmp_path)
    serve = ssh_server if request.param == "ssh" else openssh_server
    async with serve(keys) as port:
        reached = keys.machine(port)
        yield reached
        await reached.close()


def names_of_children() -> set[str]:
    names = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            names.add(process.name())
    return names


async def test_output_errors_and_status_come_back(machine: Machine) -> None:
    done = await machine.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_seconds=QUICK)
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


async def test_arguments_arrive_as_they_are(machine: Machine) -> None:
    hostile = ["", " ", "a b", "$HOME", "`id`", "; exit 9", "'", '"', "\\", "a\nb", "*", "~", "é😀", "-n", "&&"]
    program = "import sys, json; print(json.dumps(sys.argv[1:]))"
    done = await machine.run([sys.executable, "-c", program, *hostile], timeout_seconds=QUICK)
    assert json.loads(done.stdout) == hostile


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
async def test_stdin_arrives_whole_and_ends(machine: Machine, size: int) -> None:
    given = os.urandom(size)
    done = await machine.run(["cat"], stdin=given, timeout_seconds=QUICK)
    assert (done.status, done.stdout == given) == (0, True)


async def test_a_command_need_not_read_its_stdin(machine: Machine) -> None:
    done = await machine.run(["true"], stdin=bytes(3_000_000), timeout_seconds=QUICK)
    assert done.status == 0


async def test_lines_are_handed_over_whole_while_the_command_runs(machine: Machine) -> None:
    came: list[tuple[float, bytes]] = []
    script = "echo first; echo trouble >&2; sleep 1; cat; printf 'é %0200000d\\n\\nno end' 7"
    done = await machine.run(
        ["sh", "-c", script],
        stdin=b"given\n",
        on_line=lambda line: came.append((time.monotonic(), line)),
        timeout_seconds=QUICK,
    )
    long = "é ".encode() + b"0" * 199_999 + b"7"
    assert [line for _, line in came] == [b"first", b"given", long, b""]
    assert came[1][0] - came[0][0] > 0.8
    assert (done.status, done.stdout, done.stderr) == (0, b"", b"trouble\n")


async def test_a_command_that_hands_over_lines_need_not_read_its_stdin(machine: Machine) -> None:
    came: list[bytes] = []
    script = "head -c 5000000 /dev/zero >&2; echo done"
    done = await machine.run(
        ["sh", "-c", script], stdin=bytes(3_000_000), on_line=came.append, timeout_seconds=QUICK
    )
    assert (done.status, came, len(done.stderr)) == (0, [b"done"], 5_000_000)


async def test_handing_over_lines_ends_with_the_time_of_the_command(machine: Machine) -> None:
    came: list[bytes] = []
    with pytest.raises(StepFailed) as raised:
        await machine.run(["sh", "-c", "echo one; sleep 300"], on_line=came.append, timeout_seconds=4)
    assert (raised.value.reason, came) == ("timeout", [b"one"])


async def test_what_goes_wrong_with_a_line_ends_the_command(machine: Machine, tmp_path: Path) -> None:
    note = tmp_path / "child"

    def break_down(line: bytes) -> None:
        raise ValueError(line)

    script = f"echo $$ > {note}; echo one; exec sleep 300"
    with pytest.raises(ValueError, match="one"):
        await machine.run(["sh", "-c", script], on_line=break_down, timeout_seconds=6)
    await eventually(lambda: not psutil.pid_exists(int(note.read_text())), "the command ended")


async def test_output_goes_to_a_file_when_the_command_succeeds(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "output"
    target.write_text("before")
    done = await machine.run(["head", "-c", "4000000", "/dev/zero"], stdout_to=target, timeout_seconds=QUICK)
    assert (done.status, done.stdout, target.stat().st_size) == (0, b"", 4_000_000)
    failed = await machine.run(["sh", "-c", "echo half; exit 1"], stdout_to=target, timeout_seconds=QUICK)
    assert (failed.status, target.stat().st_size) == (1, 4_000_000)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("argv", "statuses"),
    [
        (["/no/such/program"], {127}),
        (["no-such-program"], {126, 127}),  # 126 where a folder of the search path can't be read
        (["/etc/passwd"], {126}),
        (["sh", "-c", "kill -9 $$"], {137}),
    ],
)
async def test_what_cannot_run_or_is_killed_has_the_status_of_shells(
    machine: Machine, argv: list[str], statuses: set[int]
) -> None:
    assert (await machine.run(argv, timeout_seconds=QUICK)).status in statuses


async def test_a_command_that_takes_too_long_is_ended_with_its_children(machine: Machine, tmp_path: Path) -> None:
    note = tmp_path / "children"
    script = f"trap '' TERM; sleep 300 & echo $! $$ > {note}; sleep 300"
    started = time.monotonic()
    with pytest.raises(StepFailed) as raised:
        await machine.run(["sh", "-c", script], stdout_to=tmp_path / "output", timeout_seconds=1)
    assert raised.value.reason == "timeout"
    assert "the machine" in raised.value.message
    assert time.monotonic() - started < 10
    processes = [int(number) for number in note.read_text().split()]
    await eventually(lambda: not any(psutil.pid_exists(process) for process in processes), "children ended")
    assert not (tmp_path / "output").exists()


async def test_a_command_whose_caller_goes_away_is_ended_in_its_time(machine: Machine, tmp_path: Path) -> None:
    note = tmp_path / "child"
    task = asyncio.create_task(machine.run(["sh", "-c", f"echo $$ > {note}; exec sleep 300"], timeout_seconds=2))
    await eventually(lambda: note.exists() and note.read_text().strip(), "the command runs")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not psutil.pid_exists(int(note.read_text())), "the command ended")


async def test_a_failure_names_command_machine_status_and_last_lines(machine: Machine) -> None:
    script = "seq 100; echo it broke >&2; exit 7"
    with pytest.raises(StepFailed) as raised:
        await run_checked(machine, ["sh", "-c", script + " # " + "x" * 200], timeout_seconds=QUICK)
    error = raised.value
    assert error.reason == "command_failed"
    assert all(part in error.message for part in ("sh -c", "the machine", "7"))
    assert len(error.message) < 150
    assert error.detail.splitlines()[-1] == "it broke"
    assert len(error.detail.splitlines()) == 5


async def test_many_commands_run_at_once(machine: Machine) -> None:
    done = await asyncio.gather(
        *(machine.run(["sh", "-c", f"sleep 0.1; echo {n}"], timeout_seconds=QUICK) for n in range(25))
    )
    assert [int(each.stdout) for each in done] == list(range(25))


async def test_seats_are_worked_on_in_the_same_way(machine: Machine, tmp_path: Path) -> None:
    homes, archive = tmp_path / "homes", tmp_path / "work.zip"
    place = SeatPlace("student1", 1, homes, "folders")
    assert await ensure_seats(machine, homes, ["student1"], owner="tests", isolation="folders") is True
    assert await ensure_seats(machine, homes, ["student1"], owner="tests", isolation="folders") is False
    assert await open_seat(machine, place, "secret", workshop(3, None)) is True
    work = await collect_seat(machine, place, WORKSHOP, archive, 1)
    assert (work.cells_executed, work.cells_total, zipfile.is_zipfile(archive)) == (1, 2, True)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert await wipe_seat(machine, place) is True
    with pytest.raises(Stale):
        await open_seat(machine, place, "secret", workshop())
    assert list((homes / "student1").iterdir()) == []


async def test_nothing_of_our_environment_gets_to_a_local_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOD_PASSWORD_KEY", "a secret")
    done = await LocalMachine().run(["env"], timeout_seconds=QUICK)
    assert b"a secret" not in done.stdout
    assert b"PATH=" in done.stdout


async def test_a_machine_with_another_key_is_not_talked_to(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    async with ssh_server(keys) as port:
        impostor = keys.machine(port, known_key=keys.client)
        with pytest.raises(StepFailed) as raised:
            await impostor.run(["true"], timeout_seconds=QUICK)
    assert raised.value.reason == "machine_unreachable"
    assert "not trusted" in raised.value.detail


async def test_a_machine_that_refuses_our_key_is_reported(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    async with ssh_server(keys) as port:
        stranger = keys.machine(port)
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(keys.client)
        Path(f"{keys.client}.pub").unlink()
        with pytest.raises(StepFailed) as raised:
            await stranger.run(["true"], timeout_seconds=QUICK)
    assert raised.value.reason == "machine_unreachable"


async def test_a_machine_that_is_away_is_reported_and_reached_when_it_is_back(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    async with ssh_server(keys) as port:
        machine = keys.machine(port)
        assert (await machine.run(["true"], timeout_seconds=QUICK)).status == 0
        running = asyncio.create_task(machine.run(["sleep", "10"], timeout_seconds=QUICK))
        telling = asyncio.create_task(machine.run(["sleep", "10"], on_line=print, timeout_seconds=QUICK))
        await asyncio.sleep(0)
        await eventually(lambda: "sleep" in names_of_children(), "it runs")
    with pytest.raises(StepFailed) as lost:
        await running
    with pytest.raises(StepFailed) as away:
        await machine.run(["true"], timeout_seconds=QUICK)
    with pytest.raises(StepFailed) as lost_too:
        await telling
    assert {error.value.reason for error in (lost, lost_too, away)} == {"machine_unreachable"}
    async with ssh_server(keys, port):
        assert (await machine.run(["true"], timeout_seconds=QUICK)).status == 0
        await machine.close()


async def test_a_frozen_connection_holds_nothing_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "SESSION_SECONDS", 1)
    keys = Keys(tmp_path)
    async with openssh_server(keys) as port:
        machine = keys.machine(port)
        assert (await machine.run(["true"], timeout_seconds=QUICK)).status == 0
        frozen = [each for each in psutil.process_iter() if serves(each, port)]
        for process in frozen:
            process.suspend()
        try:
            started = time.monotonic()
            with pytest.raises(StepFailed) as raised:
                await machine.run(["true"], timeout_seconds=QUICK)
            assert time.monotonic() - started < 5
            assert raised.value.reason == "machine_unreachable"
            assert frozen
            assert (await machine.run(["true"], timeout_seconds=QUICK)).status == 0
        finally:
            for process in frozen:
                process.kill()
            await machine.close()


def serves(process: psutil.Process, port: int) -> bool:
    """Tell whether a process has a connection that was made to a port."""
    with suppress(psutil.Error):
        served = [
            each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED
        ]
        return port in served
    return False

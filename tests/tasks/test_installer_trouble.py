"""The installer's agent when something fails, is damaged, is killed, or is not alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from eventually import eventually
from installer_samples import (
    WHY,
    Installer,
    agents,
    events,
    every_kind,
    is_root,
    put_theirs,
    seen,
    tar_of,
)

from models.errors import StepFailed
from models.resources import Command, File, Folder, Link, Resource, Service, Tree
from tasks.adapters.machine import LocalMachine

pytestmark = [pytest.mark.integration, pytest.mark.skipif(not is_root(), reason="the installer works as root")]


# Failing


async def test_a_failure_skips_the_rest_and_says_why(installer: Installer, etc: Path) -> None:
    script = "echo secret-free; for n in $(seq 2000); do echo line $n; done; echo the end >&2; exit 7"
    failing = Command("break", ("sh", "-c", script), "1", stdin=b"Secret-1", why=WHY)
    report = await installer.apply(Folder(f"{etc}/a", why=WHY), failing, Folder(f"{etc}/b", why=WHY))
    assert list(events(report).values()) == ["changed", "failed", "skipped"]
    assert report.failure
    assert report.failure.key == "command break"
    assert "exit status 7" in report.failure.detail
    assert report.failure.detail.endswith("the end")
    assert len(report.failure.detail) < 2400
    assert not (etc / "b").exists()
    assert [outcome.event for outcome in installer.heard].count("begun") == 2


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (File("{etc}/nowhere/file", b"", why=WHY), "No such file or directory: {etc}/nowhere"),
        (File("{etc}/folder", b"", why=WHY), "{etc}/folder is there already and is a folder"),
        (File("{etc}/new", b"", owner="nobody-such", why=WHY), "no account nobody-such"),
        (Link("{etc}/folder", "x", why=WHY), "{etc}/folder is there already and is a folder"),
        (Folder("{etc}/file", why=WHY), "{etc}/file is there already and is not a folder"),
        (Folder("{etc}/link", why=WHY), "{etc}/link is there already and is not a folder"),
        (Tree("{etc}/folder", tar_of({}), why=WHY), "{etc}/folder is there already"),
        (Command("gone", ("/no/such/program",), "1", why=WHY), "/no/such/program"),
        (Command("slow", ("sleep", "60"), "1", timeout_seconds=1, why=WHY), "stopped after 1 seconds"),
        (Command("who", ("true",), "1", user="nobody-such", why=WHY), "no account nobody-such"),
    ],
)
async def test_what_cannot_be_done_is_said_with_its_place(
    installer: Installer, etc: Path, resource: Resource, told: str
) -> None:
    (etc / "folder").mkdir()
    (etc / "folder/file").touch()
    (etc / "file").touch()
    (etc / "link").symlink_to("folder")
    before = seen(etc)
    values = dict(vars(resource))
    if "path" in values:
        values["path"] = values["path"].format(etc=etc)
    report = await installer.apply(type(resource)(**values))
    assert report.failure
    assert report.failure.event == "failed"
    assert told.format(etc=etc) in report.failure.detail
    assert seen(etc) == before


async def test_what_cannot_be_told_stops_the_role(installer: Installer, etc: Path) -> None:
    resources = (File("/proc/self/mem", b"", why=WHY), Folder(f"{etc}/a", why=WHY))
    for report in (await installer.plan(*resources), await installer.apply(*resources)):
        assert list(events(report).values()) == ["unknown", "skipped"]
        assert report.failure
        assert report.failure.detail
    assert not (etc / "a").exists()


async def test_damaged_notes_stop_everything_and_are_named(installer: Installer, etc: Path) -> None:
    await installer.apply(Folder(f"{etc}/a", why=WHY))
    (installer.state / "roles/base").write_text("[('folder")
    report = await installer.apply(Folder(f"{etc}/a", why=WHY), Folder(f"{etc}/b", why=WHY))
    assert report.failure
    assert report.failure.event == "unknown"
    assert str(installer.state / "roles/base") in report.failure.detail
    assert not (etc / "b").exists()


@pytest.mark.parametrize(
    "resources",
    [
        (Folder("/a", why=WHY), Folder("/a", why=WHY)),
        (Service("hub", restart_on=("file /a",), why=WHY), File("/a", b"", why=WHY)),
    ],
)
async def test_roles_that_make_no_sense_are_not_begun(
    installer: Installer, resources: tuple[Resource, ...]
) -> None:
    with pytest.raises(ValueError, match="/a"):
        await installer.apply(*resources)
    assert not installer.state.exists()


async def test_an_agent_that_does_not_start_is_reported(tmp_path: Path) -> None:
    broken = Installer(LocalMachine("the machine", ("sh", "-c", "echo no sudo >&2; exit 1")), tmp_path)
    with pytest.raises(StepFailed) as raised:
        await broken.plan()
    assert raised.value.reason == "machine_agent_broken"
    assert "no sudo" in raised.value.detail


# Being killed, and others


async def test_a_killed_installation_goes_on_and_can_be_taken_off(installer: Installer, etc: Path) -> None:
    put_theirs(etc)
    before = seen(etc)
    for version in range(2):
        for begun in range(1, 11):
            role = every_kind(etc, b"version %d\n" % version)
            role += [File(f"{etc}/wod/often", b"%d" % begun, why=WHY)]
            for after_seconds in (0, 0.003):
                await installer.apply_and_be_killed(role, begun, after_seconds)
        assert not await installer.apply_and_be_killed(role, 1, 0)
    report = await installer.apply(*role)
    assert report.failure is None
    assert (etc / "theirs").read_bytes() == (etc / "tree/a/b.sh").read_bytes() == b"version 1\n"
    await installer.apply(*role)
    (etc / "count").unlink()
    await installer.undo()
    assert seen(etc) == before


async def test_what_a_killed_agent_left_running_is_waited_for(installer: Installer, etc: Path) -> None:
    script = f"echo begun > {etc}/begun; sleep 2; echo ended > {etc}/ended"
    slow = Command("slow", ("sh", "-c", script), "1", why=WHY)
    work = asyncio.create_task(installer.apply(slow))
    await eventually((etc / "begun").exists, "the command runs")
    for agent in agents():
        agent.kill()
    with pytest.raises(StepFailed) as raised:
        await work
    assert raised.value.reason == "machine_agent_broken"
    assert not (etc / "ended").exists()
    installer.heard.clear()
    assert (await installer.apply(Folder(f"{etc}/next", why=WHY))).failure is None
    assert (etc / "ended").exists()
    assert installer.heard[0].key == "machine"
    assert "another installer" in installer.heard[0].detail


async def test_two_installers_wait_for_each_other(installer: Installer, etc: Path) -> None:
    script = f"cat {etc}/count >> {etc}/seen 2>/dev/null; sleep 0.3; echo once >> {etc}/count"
    role = (Command("count", ("sh", "-c", script), "1", why=WHY), Folder(f"{etc}/a", why=WHY))
    reports = await asyncio.gather(*(installer.apply(*role) for _ in range(3)))
    outcomes = sorted(tuple(events(report).values()) for report in reports)
    assert outcomes == [("changed", "changed"), ("same", "same"), ("same", "same")]
    assert (etc / "count").read_text() == "once\n"


async def test_a_role_that_is_as_it_should_be_costs_a_moment(installer: Installer, etc: Path) -> None:
    role = [*every_kind(etc), *(File(f"{etc}/wod/{number}", bytes(1000), why=WHY) for number in range(25))]
    await installer.apply(*role)
    report = await installer.apply(*role)
    assert set(events(report).values()) == {"same"}
    assert sum(outcome.seconds for outcome in report.outcomes) < 0.5

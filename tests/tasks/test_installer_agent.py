"""The installer's agent on this machine, in a folder of the test's: all but what belongs to a whole system."""

from __future__ import annotations

import ast
import os
import pwd
import stat
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from installer_samples import (
    PYTHON,
    WHY,
    Installer,
    details,
    events,
    every_kind,
    is_root,
    put_theirs,
    seen,
    tar_of,
)

from models.resources import Command, File, Folder, Link, Resource, Tree
from tasks.adapters.machine import LocalMachine
from tasks.machines import _MODULES, read_facts

pytestmark = [pytest.mark.integration, pytest.mark.skipif(not is_root(), reason="the installer works as root")]

# Ensuring


async def test_a_role_is_planned_made_once_and_taken_off_without_a_trace(installer: Installer, etc: Path) -> None:
    put_theirs(etc)
    role = every_kind(etc)
    before = seen(etc.parent)
    plan = await installer.plan(*role)
    assert seen(etc.parent) == before
    first = await installer.apply(*role)
    assert set(events(plan).values()) == set(events(first).values()) == {"changed"}
    assert details(plan) == details(first)
    assert (etc / "wod/new").read_bytes() == (etc / "theirs").read_bytes() == b"one\n"
    assert not (etc / "linked").is_symlink()
    assert stat.S_IMODE((etc / "wod").stat().st_mode) == 0o750
    assert (etc / "wod/secret").stat().st_uid == pwd.getpwnam("daemon").pw_uid
    assert ((etc / "file").readlink(), (etc / "link").readlink()) == (Path("wod/new"), Path("wod/new"))
    after = seen(etc.parent)
    second = await installer.apply(*role)
    assert set(events(second).values()) == {"same"}
    assert second.failure is None
    assert seen(etc.parent) == after
    (etc / "count").unlink()
    await installer.undo()
    assert seen(etc.parent) == before


@pytest.mark.parametrize("damage", ["content", "mode", "owner", "gone", "link", "tree"])
async def test_what_somebody_changed_is_made_right_again(installer: Installer, etc: Path, damage: str) -> None:
    role = every_kind(etc)
    await installer.apply(*role)
    path, key = etc / "wod/new", f"file {etc}/wod/new"
    if damage == "content":
        path.write_text("edited")
    elif damage == "mode":
        path.chmod(0o666)
    elif damage == "owner":
        os.chown(path, 12345, 12345)
    elif damage == "gone":
        path.unlink()
    elif damage == "link":
        path, key = etc / "link", f"link {etc}/link"
        path.unlink()
        path.symlink_to("elsewhere")
    else:
        path, key = etc / "tree/.made", f"tree {etc}/tree"
        path.write_text("another digest")
    report = await installer.apply(*role)
    assert [outcome.key for outcome in report.changed] == [key]
    assert (etc / "wod/new").read_bytes() == b"one\n"
    assert (etc / "wod/new").stat().st_uid == 0
    assert set(events(await installer.apply(*role)).values()) == {"same"}


async def test_a_tree_is_exactly_what_its_archive_holds(installer: Installer, etc: Path) -> None:
    await installer.apply(Tree(f"{etc}/tree", tar_of({"old": b"1", "a/b": b"1"}, 0o777), why=WHY))
    (etc / "tree/stray").write_text("of somebody")
    await installer.apply(Tree(f"{etc}/tree", tar_of({"new": b"2", "a/b": b"2"}, 0o600), why=WHY))
    assert sorted(path.name for path in (etc / "tree").rglob("*")) == [".made", "a", "b", "new"]
    assert {path.stat().st_uid for path in (etc / "tree").rglob("*")} == {0}
    assert stat.S_IMODE((etc / "tree/a/b").stat().st_mode) == 0o644
    assert [path.name for path in etc.iterdir()] == ["tree"]


async def test_a_tree_that_is_no_tar_leaves_the_one_before(installer: Installer, etc: Path) -> None:
    await installer.apply(Tree(f"{etc}/tree", tar_of({"a": b"1"}), why=WHY))
    report = await installer.apply(Tree(f"{etc}/tree", b"no tar", why=WHY))
    assert report.failure
    assert "tar" in report.failure.detail
    assert (etc / "tree/a").read_bytes() == b"1"


async def test_a_command_runs_once_for_each_stamp_with_the_rights_it_names(installer: Installer) -> None:
    def command(stamp: str, folder: str) -> Command:
        script = f'echo "$(id -un) $HOME $LEVEL $PWD $(cat)" >> {folder}/told'
        values = {"user": "daemon", "environment": {"LEVEL": "7"}, "folder": "/usr", "stdin": b"given"}
        return Command("tell", ("sh", "-c", script), stamp, why=WHY, **values)  # type: ignore[arg-type]

    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for stamp, event in [("1", "changed"), ("1", "same"), ("2", "changed"), ("2", "same")]:
            assert events(await installer.apply(command(stamp, folder))) == {"command tell": event}
        home = pwd.getpwnam("daemon").pw_dir
        assert Path(folder, "told").read_text() == f"daemon {home} 7 /usr given\n" * 2


async def test_what_a_command_did_is_undone_where_it_says_how(installer: Installer, etc: Path) -> None:
    did, stays = etc / "did", etc / "stays"
    undo = ("rm", str(did))
    await installer.apply(
        Command("do", ("touch", str(did)), "1", undo=undo, why=WHY),
        Command("keep", ("touch", str(stays)), "1", why=WHY),
    )
    assert events(await installer.undo()) == {"command keep": "same", "command do": "changed"}
    assert not did.exists()
    assert stays.exists()


# Dropping and sharing


async def test_what_a_role_no_longer_has_is_taken_off(installer: Installer, etc: Path) -> None:
    put_theirs(etc)
    before = seen(etc)
    await installer.apply(*every_kind(etc))
    (etc / "count").unlink()
    report = await installer.plan(Folder(f"{etc}/new", why=WHY))
    assert len(report.changed) == 9
    report = await installer.apply(Folder(f"{etc}/new", why=WHY))
    assert [outcome.event for outcome in report.outcomes].count("changed") == 9
    (etc / "new").rmdir()
    assert seen(etc) == before


async def test_one_kind_follows_another_at_the_same_place(installer: Installer, etc: Path) -> None:
    (etc / "place").write_text("theirs\n")
    kinds: list[Resource] = [
        Link(f"{etc}/place", "elsewhere", why=WHY),
        File(f"{etc}/place", b"ours\n", why=WHY),
        Link(f"{etc}/place", "elsewhere", why=WHY),
    ]
    for resource in kinds:
        assert (await installer.apply(resource)).failure is None
        assert set(events(await installer.apply(resource)).values()) == {"same"}
    assert (etc / "place").is_symlink()
    await installer.undo()
    assert (etc / "place").read_text() == "theirs\n"
    (etc / "place").unlink()
    for resource in (Tree(f"{etc}/place", tar_of({"a": b"1"}), why=WHY), Folder(f"{etc}/place", why=WHY)):
        assert (await installer.apply(resource)).failure is None
        assert set(events(await installer.apply(resource)).values()) == {"same"}
    assert list((etc / "place").iterdir()) == []
    await installer.undo()
    assert list(etc.iterdir()) == []


async def test_what_another_role_has_stays(installer: Installer, etc: Path) -> None:
    (etc / "shared").write_text("theirs\n")
    other = Installer(installer.machine, installer.state, "backend")
    shared = File(f"{etc}/shared", b"ours\n", why=WHY)
    await installer.apply(shared)
    assert events(await other.apply(shared)) == {shared.key: "same"}
    assert events(await installer.apply()) == {shared.key: "same"}
    assert (etc / "shared").read_text() == "ours\n"
    await other.undo()
    assert (etc / "shared").read_text() == "theirs\n"
    assert not installer.state.exists()


async def test_folders_that_hold_something_stay(installer: Installer, etc: Path) -> None:
    await installer.apply(Folder(f"{etc}/data", why=WHY))
    (etc / "data/work").write_text("somebody's")
    report = await installer.undo()
    assert details(report) == {f"folder {etc}/data": "stays, as it is not empty"}
    assert (etc / "data/work").exists()


# What is shown


async def test_no_secret_is_shown_or_an_argument(
    installer: Installer, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    run = LocalMachine.run

    async def watched(self, argv, **options):  # type: ignore[no-untyped-def]
        shown.extend(argv)
        return await run(self, argv, **options)

    monkeypatch.setattr(LocalMachine, "run", watched)
    failing = Command("break", ("sh", "-c", "cat > /dev/null; exit 1"), "1", stdin=b"Secret-1", why=WHY)
    for content in (b"one\n", b"two\n"):
        await installer.plan(*every_kind(etc, content), failing)
        await installer.apply(*every_kind(etc, content), failing)
    assert "Secret-1" not in f"{installer.heard}{shown}"
    assert "Secret-1" not in (installer.state / "roles/base").read_text()
    assert len("".join(shown)) < 1000


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"a\nb\n", b"a\nc\n", "-b\n+c"),
        (b"", "é\n".encode(), "+é"),
        (b"\0\1", b"a\n", "binary"),
        (b"a\n", bytes(7), "binary, 7 bytes"),
        (b"x\n" * 100, b"y\n" * 100, "more lines"),
        (b"\xff\n", b"\xfe\n", "-\ufffd\n+\ufffd"),
    ],
)
async def test_a_plan_shows_what_would_change_in_a_file(
    installer: Installer, etc: Path, before: bytes, after: bytes, told: str
) -> None:
    (etc / "file").write_bytes(before)
    report = await installer.plan(File(f"{etc}/file", after, why=WHY))
    detail = report.changed[0].detail
    assert told in detail
    assert len(detail.splitlines()) <= 62
    assert (etc / "file").read_bytes() == before


# What travels


def test_the_agent_needs_nothing_but_an_old_python() -> None:
    adapters = Path(__file__).parents[2] / "tasks/adapters"
    own = {f"tasks.adapters.{name}" for name in _MODULES}
    for name in _MODULES:
        tree = ast.parse((adapters / f"{name}.py").read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module in own or (node.module or "").split(".")[0] in sys.stdlib_module_names
            elif isinstance(node, ast.Import):
                assert all(alias.name in sys.stdlib_module_names for alias in node.names)


async def test_facts_of_this_machine_are_what_the_system_says() -> None:
    facts = await read_facts(LocalMachine("the machine", PYTHON))
    assert facts.architecture == os.uname().machine
    assert facts.is_root is True
    assert facts.cpus == os.cpu_count()
    assert isinstance(facts.clock_offset_seconds, float)
    assert abs(facts.clock_offset_seconds) < 5
    assert isinstance(facts.memory_mb, int)
    assert abs(facts.memory_mb - psutil.virtual_memory().total / 2**20) < 2
    addresses = {each.address for own in psutil.net_if_addrs().values() for each in own if each.family == 2}
    assert isinstance(facts.addresses, tuple)
    assert addresses - {"127.0.0.1"} <= set(facts.addresses)

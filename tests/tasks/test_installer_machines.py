"""The installer's agent on bare machines: packages, accounts, services, Python environments, and being killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from installer_samples import WHY, Installer, details, events, tar_of
from machines import RunningMachine

from models.resources import (
    Account,
    Command,
    Environment,
    File,
    Folder,
    Link,
    Packages,
    Resource,
    Service,
    Tree,
)
from models.rules.machine_facts import Listener, Needs, problems
from tasks.machines import read_facts

pytestmark = [pytest.mark.integration, pytest.mark.machines]
LOCKS = Path(__file__).parents[2] / "deployments/locks"
UV_LOCK = (LOCKS / "uv.txt").read_text()
UNIT = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n# {}\n"
UNIT_FILE = "/etc/systemd/system/wod-test.service"
NEVER_UP = "[Service]\nExecStart=/bin/sh -c 'echo it broke; exit 3'\n"
KEYS = ("ssh-ed25519 AAAA1 engine", "ssh-ed25519 AAAA2 operator")
# What a machine does by itself while a test looks.
RESTLESS = ("apt/", "systemd/", "dbus", "logrotate", "private", "cache/", "log/", "tmp/", "dpkg/lock")


@pytest.fixture
async def installer(bare_machine: RunningMachine) -> AsyncIterator[Installer]:
    machine = bare_machine.ssh()
    yield Installer(machine)
    await machine.close()


def unit(version: int, text: str = UNIT) -> File:
    return File(UNIT_FILE, text.format(version).encode(), why=WHY)


def whole_role(version: int = 1) -> list[Resource]:
    return [
        Packages(("cron", "python3"), why=WHY),
        Account("wod", "/var/lib/wod", comment="Workshops on Demand", why=WHY),
        Account("wodmgr", "/home/wodmgr", shell="/bin/bash", is_system=False, authorized_keys=KEYS, why=WHY),  # noqa: S604
        Folder("/etc/wod", group="wod", mode=0o750, why=WHY),
        Folder("/opt/wod", why=WHY),
        *(File(f"/etc/wod/file-{number}", b"%d\n" % number, why=WHY) for number in range(15)),
        File("/etc/wod/secret", b"Secret-1", owner="wod", mode=0o600, is_secret=True, why=WHY),
        File("/etc/motd", b"A machine of Workshops on Demand.\n", why=WHY),
        Link("/etc/wod/link", "file-1", why=WHY),
        Tree("/opt/wod/code", tar_of({"a/b": b"%d" % version}), why=WHY),
        Command("note", ("sh", "-c", "cat >> /var/lib/wod/noted"), "1", user="wod", stdin=b"once\n", why=WHY),
        unit(version),
        Service("wod-test", restart_on=(f"file {UNIT_FILE}", "file /etc/wod/secret"), why=WHY),
        Service("cron", reload_on=(), why=WHY),
        Service("ssh", reload_on=("file /etc/wod/file-1",), why=WHY),
    ]


def told(machine: RunningMachine, *argv: str) -> str:
    return machine.run(argv, check=False).stdout.strip()


def shown(machine: RunningMachine, name: str) -> str:
    return told(machine, "systemctl", "show", "--property", name, "--value", "wod-test.service")


def configuration(machine: RunningMachine) -> str:
    """Return all that the installer could have changed, with its times."""
    return told(
        machine, "find", "/etc", "/opt", "/home", "/var/lib", "-xdev", "-printf", "%p %m %u %g %s %T@ %l\\n"
    )


def without(text: str, restless: tuple[str, ...] = RESTLESS) -> list[str]:
    return [line for line in text.splitlines() if not any(word in line for word in restless)]


@pytest.mark.parametrize("bare_machine", ["bookworm", "trixie", "noble"], indirect=True)
async def test_a_bare_machine_becomes_what_a_role_says_and_is_left_alone_then(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    facts = await read_facts(installer.machine)
    assert problems(bare_machine.name, facts, Needs(ports={22: ("ssh.service", "init.scope")})) == []
    assert facts.addresses == (bare_machine.address,)
    role = whole_role()
    before = configuration(bare_machine)
    plan = await installer.plan(*role)
    assert without(configuration(bare_machine)) == without(before)
    first = await installer.apply(*role)
    assert first.failure is None
    assert set(events(plan)) == set(events(first))
    assert (
        told(bare_machine, "stat", "-c", "%U %G %a", "/etc/wod/secret", "/etc/wod") == "wod root 600\nroot wod 750"
    )
    assert told(bare_machine, "cat", "/var/lib/wod/noted") == "once"
    assert told(bare_machine, "cat", "/home/wodmgr/.ssh/authorized_keys").splitlines() == list(KEYS)
    assert (shown(bare_machine, "ActiveState"), shown(bare_machine, "UnitFileState")) == ("active", "enabled")
    after, process = configuration(bare_machine), shown(bare_machine, "MainPID")
    second = await installer.apply(*role)
    assert set(events(second).values()) == {"same"}
    assert without(configuration(bare_machine)) == without(after)
    assert shown(bare_machine, "MainPID") == process
    assert sum(outcome.seconds for outcome in second.outcomes) < 0.7
    undone = await installer.undo()
    assert undone.failure is None
    assert "cron" in details(undone)["packages"]
    assert told(bare_machine, "getent", "passwd", "wod", "wodmgr") == ""
    assert (
        told(bare_machine, "ls", "/opt", "/var/lib/wod-installer", "/var/lib/wod")
        == "/opt:\n\n/var/lib/wod:\nnoted"
    )
    assert shown(bare_machine, "LoadState") == "not-found"
    assert told(bare_machine, "systemctl", "is-active", "ssh", "cron") == "active\nactive"
    assert "Workshops" not in told(bare_machine, "cat", "/etc/motd")


async def test_a_service_is_restarted_exactly_when_what_it_depends_on_changed(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    async def process_after(*resources: Resource) -> str:
        assert (await installer.apply(*resources)).failure is None
        return shown(bare_machine, "MainPID")

    other = Installer(installer.machine, role="settings")
    setting = File("/etc/wod-setting", b"1", why=WHY)
    await other.apply(setting)
    service = Service("wod-test", restart_on=(f"file {UNIT_FILE}", setting.key), why=WHY)
    first = await process_after(unit(1), service)
    assert await process_after(unit(1), service) == first
    second = await process_after(unit(2), service)
    assert second != first
    failing = Command("fail", ("false",), "1", why=WHY)
    assert (await installer.apply(unit(3), failing, service)).failure
    assert shown(bare_machine, "MainPID") == second
    planned = await installer.plan(unit(3), service)
    assert [outcome.key for outcome in planned.changed] == [service.key]
    third = await process_after(unit(3), service)
    assert third != second
    await other.apply(File("/etc/wod-setting", b"2", why=WHY))
    planned = await installer.plan(unit(3), service)
    assert details(planned)[service.key] == f"restart because of {setting.key}"
    fourth = await process_after(unit(3), service)
    assert fourth != third
    fewer = Service("wod-test", restart_on=(f"file {UNIT_FILE}",), why=WHY)
    fifth = await process_after(unit(3), fewer)
    assert fifth != fourth
    also = Installer(installer.machine, role="also")
    assert (await also.apply(Service("wod-test", restart_on=(setting.key,), why=WHY))).failure is None
    sixth = await process_after(unit(3), fewer)
    assert sixth != fifth
    assert events(await also.undo()) == {service.key: "same"}
    assert shown(bare_machine, "MainPID") not in ("0", sixth)
    fourth = await process_after(unit(3), service)
    bare_machine.run(["systemctl", "stop", "wod-test"])
    assert await process_after(unit(3), service) not in ("0", fourth)
    stopped = Service("wod-test", is_running=False, why=WHY)
    assert await process_after(unit(3), stopped) == "0"
    assert shown(bare_machine, "UnitFileState") == "disabled"
    assert events(await installer.apply(unit(3), stopped))[service.key] == "same"


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_service_that_read_what_somebody_changed_is_restarted_when_that_is_mended(
    bare_machine: RunningMachine, installer: Installer, is_killed: bool
) -> None:
    setting = File("/etc/wod-setting", b"ours", why=WHY)
    service = Service("wod-test", restart_on=(setting.key,), why=WHY)
    assert (await installer.apply(setting, unit(1), service)).failure is None
    bare_machine.run(["sh", "-c", "echo theirs > /etc/wod-setting; systemctl restart wod-test"])
    misled = shown(bare_machine, "MainPID")
    planned = await installer.plan(setting, unit(1), service)
    assert [outcome.key for outcome in planned.changed] == [setting.key, service.key]
    if is_killed:  # after the file, before the service
        failing = Command("fail", ("false",), "1", why=WHY)
        assert (await installer.apply(setting, unit(1), failing, service)).failure
    assert (await installer.apply(setting, unit(1), service)).failure is None
    mended = shown(bare_machine, "MainPID")
    assert mended != misled
    assert (await installer.apply(setting, unit(1), service)).changed == ()
    assert shown(bare_machine, "MainPID") == mended


async def test_a_service_that_does_not_come_up_fails_with_its_journal(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    service = Service("wod-test", restart_on=(f"file {UNIT_FILE}",), why=WHY)
    report = await installer.apply(unit(1, NEVER_UP + "# {}"), service)
    assert report.failure
    assert "it broke" in report.failure.detail
    missing = await installer.apply(Service("wod-nothing", why=WHY))
    assert missing.failure
    assert "no unit wod-nothing.service" in missing.failure.detail
    nobody = Service("wod-test", restart_on=("file /etc/nobody-has-it",), why=WHY)
    unknown = await installer.apply(unit(1), nobody)
    assert unknown.failure
    assert "/etc/nobody-has-it" in unknown.failure.detail
    assert (await installer.apply(unit(2), service)).failure is None
    assert (await installer.apply()).failure is None
    assert shown(bare_machine, "LoadState") == "not-found"


async def test_accounts_of_others_keep_what_they_have(bare_machine: RunningMachine, installer: Installer) -> None:
    bare_machine.run(["groupadd", "printing"])
    before = told(bare_machine, "getent", "passwd", "ubuntu")
    own_key = told(bare_machine, "cat", "/home/ubuntu/.ssh/authorized_keys")

    async def apply(*keys: str, home: str = "/home/ubuntu") -> str:
        wanted = Account("ubuntu", home, groups=("printing",), comment="ours", authorized_keys=keys, why=WHY)
        report = await installer.apply(wanted)
        return "" if report.failure is None else report.failure.detail

    assert "with the home /home/ubuntu" in await apply(home="/srv/ubuntu")
    assert await apply(KEYS[0]) == ""
    assert told(bare_machine, "id", "-nG", "ubuntu").split()[-1] == "printing"
    assert told(bare_machine, "getent", "passwd", "ubuntu") == before
    assert await apply(KEYS[1]) == ""
    keys = told(bare_machine, "cat", "/home/ubuntu/.ssh/authorized_keys")
    assert keys.splitlines() == [own_key, KEYS[1]]
    await installer.undo()
    assert told(bare_machine, "cat", "/home/ubuntu/.ssh/authorized_keys") == own_key
    assert told(bare_machine, "getent", "passwd", "ubuntu") == before


async def test_accounts_of_our_own_follow_the_role(bare_machine: RunningMachine, installer: Installer) -> None:
    await installer.apply(Account("wod", "/var/lib/wod", why=WHY))
    wanted = Account("wod", "/srv/wod", shell="/bin/sh", groups=("adm",), comment="Workshops", why=WHY)  # noqa: S604
    assert (await installer.apply(wanted)).failure is None
    assert told(bare_machine, "getent", "passwd", "wod").split(":", 4)[4] == "Workshops:/srv/wod:/bin/sh"
    assert told(bare_machine, "id", "-nG", "wod") == "wod adm"
    assert set(events(await installer.apply(wanted)).values()) == {"same"}
    root = await installer.apply(Account("root", "/root", why=WHY))
    assert root.failure
    other_uid = await installer.apply(Account("wod", "/srv/wod", uid=4242, why=WHY))
    assert other_uid.failure
    assert "4242" in other_uid.failure.detail


async def test_packages_are_installed_around_others_at_work_and_after_a_kill(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    missing = await installer.apply(Packages(("no-such-package-at-all",), why=WHY))
    assert missing.failure
    assert "no-such-package-at-all" in missing.failure.detail
    assert "exit status 100" in missing.failure.detail
    holding = (
        "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f,fcntl.LOCK_EX); time.sleep(6)"
    )
    holder = asyncio.create_task(asyncio.to_thread(bare_machine.run, ["python3", "-c", holding]))
    await asyncio.sleep(1)
    assert isinstance((await read_facts(installer.machine)).apt_lock_holder, int)
    wanted = Packages(("postfix", "python3-venv"), why=WHY)
    work = asyncio.create_task(installer.apply(wanted))
    while "/var/lib/dpkg/info/postfix.list" not in told(
        bare_machine, "sh", "-c", "ls /var/lib/dpkg/info/postfix.list"
    ):
        assert not work.done()
        await asyncio.sleep(0.05)
    assert holder.done()
    # All at once, as a power failure would.
    bare_machine.run(["pkill", "-KILL", "-f", "sys.stdin.buffer|apt-get|dpkg|postinst"], check=False)
    await asyncio.wait([work])
    assert work.exception()
    assert "postfix" in told(bare_machine, "dpkg", "--audit")
    assert (await installer.apply(wanted)).failure is None
    assert told(bare_machine, "dpkg", "--audit") == ""
    assert set(events(await installer.apply(wanted)).values()) == {"same"}


async def test_environments_are_made_aside_and_kept_for_what_runs_in_them(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    tools = (Packages(("python3-venv",), why=WHY), Folder("/opt/wod", why=WHY))

    def environment(lock: str, *after: tuple[str, ...]) -> Environment:
        return Environment("/opt/wod/env", lock, UV_LOCK, after=after, why=WHY)

    marking = ("{path}/bin/python", "-c", "import sys; open(sys.prefix + '/mark', 'w').write(sys.prefix)")
    await installer.apply(*tools, environment("", marking))
    first = told(bare_machine, "readlink", "/opt/wod/env")
    assert told(bare_machine, "cat", "/opt/wod/env/mark") == f"/opt/wod/{first}"
    assert told(bare_machine, "/opt/wod/env/bin/python", "-c", "import sys; print(sys.prefix)") == "/opt/wod/env"
    assert set(events(await installer.apply(*tools, environment("", marking))).values()) == {"same"}
    forged = UV_LOCK.replace("sha256:", "sha256:0")[:-1]
    failed = await installer.apply(*tools, environment(forged))
    assert failed.failure
    assert "uv pip install" in failed.failure.detail
    assert told(bare_machine, "readlink", "/opt/wod/env") == first
    assert (await installer.apply(*tools, environment(UV_LOCK))).failure is None
    assert "uv " in told(bare_machine, "/opt/wod/env/bin/uv", "--version")
    assert told(bare_machine, "cat", f"/opt/wod/{first}/mark") == f"/opt/wod/{first}"
    assert (await installer.apply(*tools, environment("", ("true",)))).failure is None
    assert len(told(bare_machine, "ls", "/opt/wod").split()) == 3
    assert first not in told(bare_machine, "ls", "/opt/wod")
    bare_machine.run(["runuser", "-u", "nobody", "--", "/opt/wod/env/bin/python", "-c", "pass"])
    await installer.undo()
    assert told(bare_machine, "ls", "-A", "/opt") == ""


async def test_a_killed_installation_of_a_whole_role_goes_on(
    bare_machine: RunningMachine, installer: Installer
) -> None:
    for version in range(1, 4):
        for begun in (1, 2, 3, 8, 12):
            if not await installer.apply_and_be_killed(whole_role(version), begun, 0.1):
                break
            # Over ssh a caller that goes away only asks for the end.
            bare_machine.run(["pkill", "-KILL", "-f", "sys.stdin.buffer"], check=False)
    report = await installer.apply(*whole_role(3))
    assert report.failure is None
    assert set(events(await installer.apply(*whole_role(3))).values()) == {"same"}
    assert shown(bare_machine, "ActiveState") == "active"
    assert told(bare_machine, "cat", "/opt/wod/code/a/b") == "3"


async def test_an_account_without_sudo_is_told_so(bare_machine: RunningMachine) -> None:
    machine = bare_machine.ssh()
    machine.python = ("python3",)
    installer = Installer(machine)
    report = await installer.apply(Folder("/etc/wod", why=WHY))
    assert report.failure
    assert "sudo" in report.failure.detail
    facts = await read_facts(machine)
    assert facts.is_root is False
    assert Listener(22, "") in (facts.listeners if isinstance(facts.listeners, tuple) else ())
    await machine.close()

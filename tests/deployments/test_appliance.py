"""An appliance on a machine of its own: containers, seat accounts, and ways in from the backends alone."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from installer_samples import Installer
from machine_bases import ROOT, call
from machines import Machines, RunningMachine

from models.stack_manifest import parse_stack
from tasks.machines import RoleReport
from tasks.roles.context import RoleContext
from tasks.roles.imagined import imagined_context
from tasks.roles.table import ROLES

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.timeout(1200)]

NAME = "app1.local"
SEATS = 3
OTHER = "192.0.2.77"  # RFC 5737: nobody's; this machine speaks from there, too
KEY_OF_STUDENT = """\
install -d -m 700 -o student2 -g student2 ~student2/.ssh
echo '{key}' > ~student2/.ssh/authorized_keys
chown student2: ~student2/.ssh/authorized_keys
"""


class Appliance:
    """A machine that is an appliance, and the context that it was made from."""

    def __init__(self, machine: RunningMachine, context: RoleContext, folder: Path) -> None:
        self.machine, self.context, self.folder = machine, context, folder
        self.key = folder / "appliance_key"
        self.key.write_text(context.secrets.appliance_ssh_private_key)
        self.key.chmod(0o600)

    def install(self) -> list[str]:
        """Install the roles; return what was changed."""
        reports = [self._work(role, is_undone=False) for role in ("base", "appliance")]
        assert [report.failure for report in reports] == [None, None]
        return [each.key for report in reports for each in report.changed]

    def take_off(self, role: str) -> None:
        assert self._work(role, is_undone=True).failure is None

    def _work(self, role: str, *, is_undone: bool) -> RoleReport:
        async def work() -> RoleReport:
            over_ssh = self.machine.ssh()
            installer = Installer(over_ssh, role=role)
            resources = ROLES[role](self.context, NAME)
            report = await (installer.undo() if is_undone else installer.apply(*resources))
            await over_ssh.close()
            return report

        return asyncio.run(work())

    def ssh(
        self, account: str, command: str, key: Path, *, source: str = "", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command over ssh, from an address of this machine."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        argv = ["ssh", "-F", "none", *(f"-o{option}" for option in options), *(("-b", source) if source else ())]
        return subprocess.run(
            [*argv, "-i", str(key), f"{account}@{self.machine.address}", command],
            capture_output=True,
            text=True,
            input=stdin,
        )


@pytest.fixture(scope="module", params=["bookworm", "noble"])
def appliance(
    machines: Machines, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Appliance]:
    """Yield an appliance of a stack whose only backend is this machine."""
    machine = machines.start(f"app-{request.param}", request.param)
    here = f"{machine.address.rpartition('.')[0]}.1"
    text = (ROOT / "deployments/examples/one-machine.yaml").read_text().replace("seats: 40", f"seats: {SEATS}")
    stack, problems = parse_stack(f"{text}appliances:\n  - machine: {NAME}\n", "stack.yaml")
    assert stack, problems
    addresses = {"wod.local": (here,), NAME: (machine.address,)}
    context = dataclasses.replace(asyncio.run(imagined_context(stack)), addresses=addresses)
    appliance = Appliance(machine, context, tmp_path_factory.mktemp("appliance"))
    device = call("ip", "-o", "-4", "address", "show", "to", here).split()[1]
    call("ip", "address", "add", f"{OTHER}/32", "dev", device)
    machine.run(["ip", "route", "replace", OTHER, "via", here])
    appliance.install()
    yield appliance
    machine.stop()
    call("ip", "address", "del", f"{OTHER}/32", "dev", device)


def test_a_second_installation_changes_nothing(appliance):
    assert appliance.install() == []


def test_the_backends_may_do_anything_there_and_nobody_else(appliance):
    root = appliance.ssh("wodmgr", "sudo -n id -un", appliance.key)
    assert root.stdout == "root\n", root.stderr
    assert "denied" in appliance.ssh("wodmgr", "true", appliance.key, source=OTHER).stderr
    assert appliance.ssh("ubuntu", "true", appliance.machine.key, source=OTHER).returncode == 0


def test_a_seat_lets_its_student_in_from_the_backends_alone(appliance):
    key = appliance.folder / "student_key"
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    public = key.with_suffix(".pub").read_text().strip()
    setting_up = KEY_OF_STUDENT.format(key=public)
    done = appliance.ssh("wodmgr", "sudo -n bash -eu", appliance.key, stdin=setting_up)
    assert done.returncode == 0, done.stderr
    who = appliance.ssh("student2", "id -u; pwd; ls -ld .", key)
    assert who.stdout.split()[:3] == ["2002", "/student/student2", "drwx------"], who.stderr
    assert "denied" in appliance.ssh("student2", "true", key, source=OTHER).stderr
    assert appliance.ssh("student2", "sudo -n true", key).returncode == 1
    assert appliance.ssh("student2", "ls /student/student1", key).returncode == 2
    assert appliance.ssh("student2", "podman info --format '{{.Host.Security.Rootless}}'", key).stdout == "true\n"


def test_there_are_as_many_seats_as_on_the_backends(appliance):
    known = [line.split(":") for line in appliance.machine.run(["getent", "passwd"]).stdout.splitlines()]
    seats = [(name, number) for name, _, number, *_ in known if name.startswith("student")]
    assert seats == [("student1", "2001"), ("student2", "2002"), ("student3", "2003")]


def test_nothing_of_it_is_left_when_it_is_taken_off(appliance):
    machine = appliance.machine
    appliance.take_off("appliance")
    for account in ("wodmgr", "student1", "student3"):
        assert machine.run(["id", account], check=False).returncode == 1
    for path in ("etc/sudoers.d/wod-appliance", "etc/ssh/sshd_config.d/wod.conf"):
        assert not (machine.root / path).exists()
    shown = machine.run(["sshd", "-T", "-C", "user=student1,host=other,addr=192.0.2.1"]).stdout
    assert "denyusers" not in shown
    assert appliance.ssh("ubuntu", "true", machine.key).returncode == 0
    appliance.take_off("base")
    assert not (machine.root / "var/lib/wod-installer").exists()

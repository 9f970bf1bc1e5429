"""Real machines for tests: systemd as process 1, an address, sshd and apt each, booted on this one in seconds."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from eventually import until
from machine_bases import base_tree, call, missing_tools, trust_as_here
from machine_slot import Slot, discard, free_slot, mount, nspawns

from tasks.adapters.ssh import SshMachine

_UP_SECONDS = 60
_GONE_SECONDS = 10
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NETWORK = """\
[Match]
Name=host0
[Network]
Address={address}/24
Gateway={gateway}
"""


class RunningMachine:
    """A machine that runs: a bare system with the account `ubuntu`, who has sudo, and python3-minimal."""

    def __init__(self, slot: Slot, number: int, name: str) -> None:
        self.name = name
        self.address = slot.address(number + 1)
        self.folder = slot.folder / str(number)
        self.root = self.folder / "root"
        self.key = slot.folder / "key"
        self._bridge = slot.bridge
        self._label = f"{slot.bridge}-{number}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def console(self) -> str:
        """What the machine has written to its console."""
        return (self.folder / "console.log").read_text(errors="replace")

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside the machine, not by way of its network; it must succeed."""
        inside = ["nsenter", "-t", str(self._init().pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        return subprocess.run(
            [*inside, *argv],
            **{"check": True, "capture_output": True, "text": True, "env": {"PATH": _PATH}, **options},
        )

    def ssh(self) -> SshMachine:
        """Return the machine as the platform reaches it: as `ubuntu`, who works with sudo."""
        known = self.folder / "known_hosts"
        keys = sorted((self.root / "etc/ssh").glob("ssh_host_*_key.pub"))
        known.write_text("".join(f"{self.address} {key.read_text()}" for key in keys))
        python = ("sudo", "-n", "python3")
        return SshMachine(
            self.name, f"ubuntu@{self.address}", known_hosts=known, client_key=self.key, python=python
        )

    def disconnect(self) -> None:
        """Cut the machine off: its connections freeze, and nothing reaches it."""
        call("ip", "link", "set", f"vb-{self._label}", "nomaster")

    def reconnect(self) -> None:
        """Put the machine back on its network; connections that still wait go on."""
        call("ip", "link", "set", f"vb-{self._label}", "master", self._bridge)

    def wait_until_up(self) -> None:
        """Return when its sshd answers."""
        until(self._answers, lambda: f"{self.name} answers. Its console:\n{self.console[-3000:]}", _UP_SECONDS)

    def stop(self) -> None:
        """End the machine as a power failure would, and throw away all that it wrote."""
        discard(self.folder)
        if self._process:
            self._process.wait(_GONE_SECONDS)

    def boot(self, base: Path) -> None:
        """Begin to boot the machine on a tree that stays as it is."""
        mount(base, self.folder)
        self._furnish()
        Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
        # Without the last two it would ask for the host's systemd, which need not run.
        apart = ["--link-journal=no", "--resolv-conf=off", "--console=pipe", "--keep-unit", "--register=no"]
        names = ["-M", self._label, f"--hostname={self._short_name}", f"--network-bridge={self._bridge}"]
        with (self.folder / "console.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", *names, *apart],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def know(self, hosts: str) -> None:
        """Add lines to its /etc/hosts."""
        with (self.root / "etc/hosts").open("a") as file:
            file.write(hosts)

    @property
    def gateway(self) -> str:
        """The address of the machine that it runs on, which the tests come from."""
        return self.address.rsplit(".", 1)[0] + ".1"

    def _furnish(self) -> None:
        """Give the tree what a provider gives a new machine: a name, an address, keys, and its first account."""
        etc = self.root / "etc"
        units = etc / "systemd/system/multi-user.target.wants"
        units.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (units / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
        network = _NETWORK.format(address=self.address, gateway=self.gateway)
        (etc / "systemd/network/10-host0.network").write_text(network)
        (etc / "resolv.conf").unlink(missing_ok=True)
        (etc / "resolv.conf").write_text(_resolver())
        (etc / "hostname").write_text(f"{self._short_name}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {self._short_name}\n")
        (etc / "machine-id").unlink(missing_ok=True)
        (etc / "machine-id").write_text("")
        (etc / "pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        trust_as_here(self.root)
        for old in (etc / "ssh").glob("ssh_host_*"):
            old.unlink()
        call("chroot", self.root, "ssh-keygen", "-A")
        # No account of this box has these numbers: ending the processes of one ends all of its number, here too.
        with (etc / "login.defs").open("a") as file:
            file.write("SYS_UID_MAX 799\nSYS_GID_MAX 799\n")
        call("chroot", self.root, "useradd", "-m", "-s", "/bin/bash", "-u", "54321", "ubuntu")
        (etc / "sudoers.d/90-ubuntu").write_text("ubuntu ALL=(ALL) NOPASSWD:ALL\n")
        keys = self.root / "home/ubuntu/.ssh/authorized_keys"
        keys.parent.mkdir(mode=0o700)
        keys.write_bytes(self.key.with_suffix(".pub").read_bytes())
        call("chroot", self.root, "chown", "-R", "ubuntu:", "/home/ubuntu/.ssh")

    @property
    def _short_name(self) -> str:
        return self.name.split(".")[0]

    def _init(self) -> psutil.Process:
        return next(child for process in nspawns(self.folder) for child in process.children())

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((self.address, 22), timeout=0.5) as connection:
            return connection.recv(4) == b"SSH-"
        return False


class Machines:
    """The machines of a test-run; `with` throws them away at its end, and what killed runs left at its start.

    Their names, `NAME.machinesN.test`, differ from those of other runs, and this machine knows them too.
    """

    def __init__(self) -> None:
        self._running: list[RunningMachine] = []
        self._started = 0
        self._hosts = ""
        self._stack = ExitStack()

    def __enter__(self) -> Machines:
        if reason := missing_tools():
            pytest.skip(reason)
        with self._stack as stack:
            self._slot = free_slot(stack)
            stack.callback(self._slot.clear)
            try:
                self._slot.prepare()
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no machine can run on this one: {error.stderr.strip() or error}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, suite: str = "bookworm", aliases: Sequence[str] = ()) -> RunningMachine:
        """Boot a machine called `name` in the run's domain; return it when its sshd answers.

        All machines and this one know it by its name and its aliases.
        """
        machine = self.launch(name, suite, aliases)
        machine.wait_until_up()
        return machine

    def launch(self, name: str, suite: str = "bookworm", aliases: Sequence[str] = ()) -> RunningMachine:
        """Begin to boot a machine, for booting several at once: `wait_until_up` says when it is there."""
        base = base_tree(suite)
        self._started += 1
        machine = RunningMachine(self._slot, self._started, f"{name}.{self._slot.domain}")
        self._running.append(machine)
        self._stack.callback(machine.stop)
        machine.boot(base)
        machine.know(self._hosts)
        line = " ".join([machine.address, machine.name, *aliases]) + "\n"
        self._hosts += line
        for each in self._running:
            if each.root.is_mount():
                each.know(line)
        self._slot.publish(line)
        return machine


def _resolver() -> str:
    """Return a resolv.conf that is good in other network namespaces, too."""
    behind_stub = Path("/run/systemd/resolve/resolv.conf")
    return (behind_stub if behind_stub.exists() else Path("/etc/resolv.conf")).read_text()

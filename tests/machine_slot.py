"""What a test-run that boots machines has of this one, so that runs don't meet and nothing stays behind.

A run has a slot: a lock, a bridge, a subnet, names, and a folder for what its machines write. Locks end with
the process that holds them, so what a killed run left is found, and cleared, by the next one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import asyncssh
import psutil
from eventually import until
from machine_bases import call, locked

_SLOTS = Path("/var/lib/wod-test-machines")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_HOSTS = Path("/etc/hosts")
_MOST_SLOTS = 50
_GONE_SECONDS = 10


class Slot:
    """What one test-run has of this machine; all of it can be found again by the slot's number."""

    def __init__(self, number: int) -> None:
        self.folder = _SLOTS / str(number)
        self.bridge = f"wodt{number}"
        self.domain = f"machines{number}.test"
        self._subnet = f"10.89.{number}"
        self._mark = f"  # {self.domain}\n"
        all_of_them = f"{self._subnet}.0/24"
        self._rules = [
            ["nat", "POSTROUTING", "-s", all_of_them, "!", "-d", all_of_them, "-j", "MASQUERADE"],
            ["filter", "FORWARD", "-i", self.bridge, "-j", "ACCEPT"],
            ["filter", "FORWARD", "-o", self.bridge, "-j", "ACCEPT"],
        ]

    def address(self, host: int) -> str:
        return f"{self._subnet}.{host}"

    def prepare(self) -> None:
        """Make the folder, a key for the machines, and their network; CalledProcessError where that can't be."""
        self.folder.mkdir(mode=0o755)
        mount(Path("/etc"), self.folder / "trial")
        discard(self.folder / "trial")
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(self.folder / "key")
        key.write_public_key(self.folder / "key.pub")
        (self.folder / "key").chmod(0o600)
        call("ip", "link", "add", self.bridge, "type", "bridge")
        call("ip", "address", "add", f"{self.address(1)}/24", "dev", self.bridge)
        call("ip", "link", "set", self.bridge, "up")
        for table, *rule in self._rules:
            call("iptables", "-w", "-t", table, "-I", *rule)
        with locked(_SLOTS / "forwarding.lock"):
            if (before := _FORWARDING.read_text()) != "1\n":
                (_SLOTS / "forwarding").write_text(before)
                _FORWARDING.write_text("1\n")

    def clear(self) -> None:
        """Take away all of it, as far as it is there."""
        for folder in self.folder.glob("*/"):
            discard(folder)
        _try("ip", "link", "delete", self.bridge)
        for table, *rule in self._rules:
            while _try("iptables", "-w", "-t", table, "-D", *rule):
                pass
        self._change_hosts("")
        shutil.rmtree(self.folder, ignore_errors=True)
        with locked(_SLOTS / "forwarding.lock"):
            before = _SLOTS / "forwarding"
            if before.exists() and not any(path.is_dir() for path in _SLOTS.iterdir()):
                _FORWARDING.write_text(before.read_text())
                before.unlink()

    def publish(self, line: str) -> None:
        """Let this machine know a name as well."""
        self._change_hosts(line.rstrip() + self._mark)

    def _change_hosts(self, added: str) -> None:
        with locked(_SLOTS / "hosts.lock"):
            lines = _HOSTS.read_text().splitlines(keepends=True)
            kept = lines if added else [line for line in lines if not line.endswith(self._mark)]
            if added or kept != lines:
                _HOSTS.write_text("".join(kept) + added)  # in place: containers have it mounted


def free_slot(stack: ExitStack) -> Slot:
    """Return the first slot that no living run holds, held until `stack` ends, all that are free being cleared."""
    _SLOTS.mkdir(mode=0o755, exist_ok=True)
    found = None
    for number in range(_MOST_SLOTS):
        slot = Slot(number)
        if found and not slot.folder.exists():
            continue
        with ExitStack() as held:
            try:
                held.enter_context(locked(_SLOTS / f"{number}.lock", is_awaited=False))
            except BlockingIOError:
                continue
            slot.clear()
            if not found:
                found = slot
                stack.enter_context(held.pop_all())
    assert found, f"{_MOST_SLOTS} test-runs have machines"
    return found


def mount(base: Path, folder: Path) -> None:
    """Mount `base` at root/ in the folder, so that what is written there goes to the folder."""
    for name, mode in (("root", 0o755), ("work", 0o700), ("upper", 0o755)):
        (folder / name).mkdir(parents=True, mode=mode)
    layers = f"lowerdir={base},upperdir={folder}/upper,workdir={folder}/work"
    call("mount", "-t", "overlay", "overlay", "-o", layers, folder / "root")


def discard(folder: Path) -> None:
    """End the machine of a folder and remove the folder."""
    for nspawn in nspawns(folder):
        with suppress(psutil.NoSuchProcess):
            for init in nspawn.children():
                init.kill()
            with suppress(psutil.TimeoutExpired):
                nspawn.wait(_GONE_SECONDS)
            nspawn.kill()
    root = folder / "root"
    until(lambda: not root.is_mount() or _try("umount", root), f"{root} is unmounted", _GONE_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def nspawns(folder: Path) -> Iterator[psutil.Process]:
    """Yield the process that runs the machine of a folder, if it runs."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "systemd-nspawn" and str(folder / "root") in (process.info["cmdline"] or ()):
            yield process


def _try(*argv: str | Path) -> bool:
    with suppress(subprocess.CalledProcessError):
        call(*argv)
        return True
    return False

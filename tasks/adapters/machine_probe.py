"""What a machine is: the facts that decide whether it can be installed. Part of the machine agent.

A fact is its value, or None where there is none, or `{"unknown": REASON}`.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.adapters.machine_system import apt_lock_holder
from tasks.adapters.machine_tools import Failed, Unknown, ask_tool

DISKS = ("/", "/var", "/opt")
ROLES = Path("/var/lib/wod-installer/roles")
MEGABYTE = 1 << 20
LISTENING = "0A"  # in /proc/net/tcp


def read_facts() -> dict[str, Any]:
    """Return all facts of this machine."""
    return {name: _told(read) for name, read in FACTS.items()}


def _told(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (OSError, ValueError, Unknown, Failed) as error:
        return {"unknown": str(error)}


def _release(name: str) -> str | None:
    with suppress(FileNotFoundError):
        for line in Path("/etc/os-release").read_text().splitlines():
            key, _, value = line.partition("=")
            if key == name:
                return value.strip("\"'")
    return None


def _systemd_state() -> str | None:
    if not Path("/run/systemd/system").is_dir():
        return None
    # Its exit status says whether all is well, which is not what is asked.
    return ask_tool("systemctl", "is-system-running", statuses=range(8)).strip() or None


def _free_megabytes() -> dict[str, int]:
    found = {}
    for name in filter(os.path.isdir, DISKS):
        disk = os.statvfs(name)
        found[name] = disk.f_bavail * disk.f_frsize // MEGABYTE
    return found


def _memory_megabytes() -> int:
    total = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    if not total:
        raise Unknown("/proc/meminfo does not tell.")
    return int(total.group(1)) * 1024 // MEGABYTE


def _addresses() -> list[str]:
    """Return the machine's addresses, those of the loopback and those that hold for one link left out."""
    trie = Path("/proc/net/fib_trie").read_text()
    found = set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", trie))
    with suppress(FileNotFoundError):
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
        found |= {socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in lines}
    return sorted(each for each in found if not each.startswith(("127.", "fe80:")) and each != "::1")


def _listeners() -> list[dict[str, Any]]:
    """Return each listening TCP port with the unit that holds it."""
    ports: dict[str, int] = {}
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == LISTENING:
                    ports[words[9]] = int(words[1].rpartition(":")[2], 16)
    units = _units_of_sockets(set(ports))
    pairs = {(port, units.get(inode, "")) for inode, port in ports.items()}
    return [{"port": port, "unit": unit} for port, unit in sorted(pairs)]


def _units_of_sockets(inodes: set[str]) -> dict[str, str]:
    """Return the unit of the process that has each socket."""
    found: dict[str, str] = {}
    for process in Path("/proc").glob("[1-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            for file in (process / "fd").iterdir():
                inode = str(file.readlink())[len("socket:[") : -1]
                if inode in inodes:
                    found[inode] = _unit_of(process)
    return found


def _unit_of(process: Path) -> str:
    for line in (process / "cgroup").read_text().splitlines():
        number, controller, path = line.split(":", 2)
        if number == "0" or controller == "name=systemd":
            units = [part for part in path.split("/") if part.endswith((".service", ".scope", ".socket"))]
            if units:
                return units[-1]
    return ""


def _roles() -> list[str]:
    """Return the roles that an installer has put on the machine."""
    return sorted(each.name for each in ROLES.iterdir()) if ROLES.is_dir() else []


FACTS: dict[str, Callable[[], Any]] = {
    "distribution": lambda: _release("ID"),
    "version": lambda: _release("VERSION_ID"),
    "architecture": lambda: os.uname().machine,
    "python": lambda: ".".join(map(str, sys.version_info[:3])),
    "is_root": lambda: os.geteuid() == 0,
    "systemd": _systemd_state,
    "free_mb": _free_megabytes,
    "memory_mb": _memory_megabytes,
    "cpus": os.cpu_count,
    "listeners": _listeners,
    "addresses": _addresses,
    "clock": time.time,
    "roles": _roles,
    "apt_lock_holder": lambda: apt_lock_holder() or None,
}

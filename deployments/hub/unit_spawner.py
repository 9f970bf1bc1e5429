"""Students' Jupyter servers as units of systemd: limited in memory and CPU, and shut off from the machine."""

# Checked where jupyterhub is not installed.
# mypy: disable-error-code="misc, has-type"

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from seat_spawner import SERVER_LOG, SeatServer
from systemdspawner import SystemdSpawner

# What systemd-run is told of each server besides its limits (systemd.exec(5), systemd.unit(5)).
ISOLATION = {
    # Only the home, and what is this server's alone, can be written to.
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "TemporaryFileSystem": "/dev/shm:mode=1777",  # noqa: S108
    "PrivateDevices": "yes",
    # Nothing gets rights that the student hasn't: no sudo, no set-user-ID program.
    "NoNewPrivileges": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictNamespaces": "yes",
    # Other people's processes are not seen: their command lines could tell what they do.
    "ProtectProc": "invisible",
    "ProtectControlGroups": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "LockPersonality": "yes",
    "RestrictRealtime": "yes",
    "UMask": "0077",
    "TasksMax": "512",
    # A server that was killed leaves no failed unit behind.
    "CollectMode": "inactive-or-failed",
    "TimeoutStopSec": "5",
}


# The command that writes a server's log into its working folder, the home, and becomes the server.
LOGGED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("server_log.py")), SERVER_LOG)


class UnitSpawner(SeatServer, SystemdSpawner):
    """Seats are accounts of the system, and each server is a unit of its own, which goes on without the hub."""

    async def start(self) -> Any:
        """Start the server in its unit."""
        self.unit_extra_properties = {**ISOLATION, "ReadWritePaths": str(self.home)}
        return await super().start()

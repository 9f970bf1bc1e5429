"""What must be right before anything starts. All that is wrong is told at once."""

from __future__ import annotations

import os
import shutil
import socket
from collections import Counter
from pathlib import Path

from deployments.stack.accounts import closed_folder, is_root
from deployments.stack.layout import Layout
from deployments.stack.services import ports
from models.errors import Refused
from models.settings import Settings

_FREE_MB = 1000


def check(settings: Settings, layout: Layout, *, is_database_embedded: bool) -> None:
    """Refuse (`cannot_start`), naming everything that keeps the platform from starting."""
    wrong = [
        *_wrong_ports(settings, is_database_embedded=is_database_embedded),
        *_wrong_folders(layout),
        *_wrong_rights(settings),
    ]
    if wrong:
        raise Refused("\n".join(wrong), reason="cannot_start")


def _wrong_ports(settings: Settings, *, is_database_embedded: bool) -> list[str]:
    chosen = ports(settings, is_database_embedded=is_database_embedded)
    shared = {port for port, count in Counter(chosen.values()).items() if count > 1}
    wrong = [
        f"Port {port} is set for more than one service: "
        + " and ".join(_variable(name) for name in chosen if chosen[name] == port)
        + " must differ."
        for port in sorted(shared)
    ]
    return wrong + [
        f"Port {port} is taken by another program. Choose another with {_variable(name)}, or move all ports"
        " with WOD_PORT_BASE."
        for name, port in chosen.items()
        if port not in shared and not _is_free(settings.bind_host, port)
    ]


def _variable(name: str) -> str:
    return f"WOD_{name.upper()}_PORT"


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for address in {host, "127.0.0.1"} if family == socket.AF_INET else {host}:
        with socket.socket(family) as listener:
            # As the services do: the rest of a connection that has ended takes no port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((address, port))
            except OSError:
                return False
    return True


def _wrong_folders(layout: Layout) -> list[str]:
    wrong = []
    free_mb = shutil.disk_usage(layout.state).free // 1_000_000
    if free_mb < _FREE_MB:
        wrong.append(f"Only {free_mb} MB are free below {layout.state}; the platform needs {_FREE_MB} MB.")
    others = [
        path for path in (layout.state, layout.secrets) if path.exists() and path.stat().st_uid != os.geteuid()
    ]
    if others and not is_root():
        wrong.append(f"{others[0]} belongs to another account. Choose another folder with --state.")
    for folder, remedy in ((layout.state, "choose another folder with --state"), (layout.home, "use ./wod")):
        if not is_root() or not (closed := closed_folder(folder)):
            continue
        wrong.append(
            f"Other accounts can't enter {closed}, but the platform's services run as accounts of their own."
            f" Open it (chmod o+x {closed}), or {remedy}."
        )
    made = (layout.home / "hub-env/bin/python", layout.home / "proxy/node")
    wrong += [
        f"{path} is missing. Start the platform with ./wod, which makes it." for path in made if not path.exists()
    ]
    return wrong


def _wrong_rights(settings: Settings) -> list[str]:
    if settings.isolation == "accounts" and not is_root():
        return ["Seats that are real accounts (WOD_ISOLATION=accounts) need root. Use sudo, or choose folders."]
    if settings.isolation == "folders" and is_root():
        return [
            "Seats that are folders (WOD_ISOLATION=folders) would give students root's rights. Don't use root."
        ]
    return []


def ensure_state(path: Path) -> None:
    """Make the state folder; refuse (`state_not_writable`) when that can't be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError
    except OSError as error:
        raise Refused(
            f"The state folder {path} can't be written. Choose another with --state.",
            reason="state_not_writable",
            detail=str(error),
        ) from None

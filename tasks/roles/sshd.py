"""What sshd lets students do on a machine with seats."""

from __future__ import annotations

import hashlib

from models.resources import Command, File, Resource
from tasks.roles.context import RoleContext

_RULES = "/etc/ssh/sshd_config.d/wod.conf"
_RELOAD = "systemctl try-reload-or-restart ssh"


def sshd_rules(rules: bytes, *, why: str) -> list[Resource]:
    """Return what makes sshd go by `rules`, which its own configuration includes."""
    return [
        File(_RULES, rules, why=why),
        # No Service: on Ubuntu 24.04 a socket starts sshd, which is not to be enabled beside it.
        Command(
            "ssh: take notice of its configuration",
            ("sh", "-euc", f"sshd -t; {_RELOAD}"),
            stamp=hashlib.sha256(rules).hexdigest(),
            undo=("sh", "-euc", f"rm -f {_RULES}; {_RELOAD}"),
            why="Connections that are open stay so.",
        ),
    ]


def seat_prefix(context: RoleContext) -> str:
    """Return what the names of seats' accounts begin with."""
    return str(context.stack.settings.get("seat_prefix") or "student")

"""What roles are made from where there are no machines: to tell what the installer does, before it does it."""

from __future__ import annotations

from pathlib import Path

from models.stack_manifest import StackManifest
from models.tables import utc_now
from tasks.roles.context import RoleContext
from tasks.roles.source import read_release
from tasks.stack_secrets import read_stack_secrets

RELEASE = ("debian", "12")


async def imagined_context(stack: StackManifest) -> RoleContext:
    """Return a context as for machines of Debian 12, with addresses and secrets that are nobody's."""
    secrets = await read_stack_secrets(Path("/nonexistent"), stack, utc_now())
    return RoleContext(
        stack=stack,
        secrets=secrets,
        release=read_release(),
        certificates=secrets.certificates,
        authorities=(secrets.ca_certificate,),
        # RFC 5737: for documentation.
        addresses={name: (f"192.0.2.{place}",) for place, name in enumerate(stack.machine_names, 1)},
        releases=dict.fromkeys(stack.machine_names, RELEASE),
        known_hosts="",
    )

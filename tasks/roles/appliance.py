"""An appliance: containers for workshops, and the engine's way in."""

from __future__ import annotations

from models.resources import Account, Packages, Resource
from tasks.roles.context import RoleContext

_PACKAGES = {
    "podman": ("podman", "uidmap", "slirp4netns", "fuse-overlayfs"),
    "docker": ("docker.io",),
}


def appliance(context: RoleContext, machine: str) -> list[Resource]:
    """Return what an appliance gets; workshops' own set-up builds on it."""
    entry = next(each for each in context.stack.appliances if each.machine == machine)
    account, groups = context.stack.management_user, ("docker",) if entry.containers == "docker" else ()
    why = "The engine's way in to run the workshops' own set-up."
    return [
        Packages(_PACKAGES[entry.containers], why=f"Containers for workshops, by {entry.containers}."),
        Account(  # noqa: S604  (the account's shell, not one that runs anything here)
            account,
            home=f"/var/lib/{account}",
            shell="/bin/bash",
            groups=groups,
            comment="engine of Workshops on Demand",
            authorized_keys=(f"restrict {context.secrets.engine_ssh_public_key}",),
            why=why,
        ),
    ]

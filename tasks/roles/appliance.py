"""An appliance: containers for workshops, seat accounts, and the backends' way in."""

from __future__ import annotations

from models.resources import Account, Packages, Resource
from tasks.roles.context import RoleContext
from tasks.roles.sshd import seat_prefix, sshd_rules
from tasks.roles.templates import fill
from tasks.roles.way_in import HOMES, SEAT_UID_BASE, homes_of_seats, way_into_appliance

_PACKAGES = {
    "podman": ("podman", "uidmap", "slirp4netns", "fuse-overlayfs"),
    "docker": ("docker.io",),
}


def appliance(context: RoleContext, machine: str) -> list[Resource]:
    """Return what an appliance gets; workshops' own set-up builds on it."""
    entry = next(each for each in context.stack.appliances if each.machine == machine)
    return [
        Packages(_PACKAGES[entry.containers], why=f"Containers for workshops, by {entry.containers}."),
        *way_into_appliance(context, machine),
        *_guard(context),
        # The engine makes those of a backend, and keeps records of them.
        *([] if "backend" in context.stack.roles_of(machine) else _seats(context)),
    ]


def _guard(context: RoleContext) -> list[Resource]:
    backends = context.addresses_of([each.machine for each in context.stack.backends])
    sources = [*backends["ip"], *backends["ip6"], "127.0.0.0/8", "::1"]
    rules = fill("appliance/sshd.conf", backends=sources, prefix=seat_prefix(context))
    return sshd_rules(rules, why="Students come in over ssh from the backends alone, and by key alone.")


def _seats(context: RoleContext) -> list[Resource]:
    seats = max(each.seats for each in context.stack.backends)
    why = "A seat's account, with the number that it has on the backends; a workshop's set-up gives it a key."
    return [
        homes_of_seats(),
        *(
            Account(  # noqa: S604  (the account's shell, not one that runs anything here)
                f"{seat_prefix(context)}{number}",
                home=f"{HOMES}/{seat_prefix(context)}{number}",
                shell="/bin/bash",
                comment="seat of Workshops on Demand",
                uid=SEAT_UID_BASE + number,
                is_system=False,
                why=why,
            )
            for number in range(1, seats + 1)
        ),
    ]

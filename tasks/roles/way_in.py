"""The account by which the platform works on backends and appliances, and what it may do there."""

from __future__ import annotations

from models.resources import Account, File, Folder, Resource
from tasks.roles.context import CONFIGURATION, OWN_PROGRAMS, SECRETS, RoleContext
from tasks.roles.templates import fill
from tasks.seats import seat_agent_program

HOMES = "/student"
SEAT_AGENT = f"{OWN_PROGRAMS}/seat-agent"
SEAT_UID_BASE = 2000
APPLIANCE_KEY = f"{SECRETS}/appliance_key"


def way_into_backend(context: RoleContext, machine: str) -> list[Resource]:
    """Return the engine's way in: it may work on seats, and nothing else."""
    why = "The engine works on seats by this program, the only one that its account may run as root."
    return [
        _account(context, machine),
        File(SEAT_AGENT, seat_agent_program(), mode=0o755, why=why),
        *_sudo(context, "wod", SEAT_AGENT, why=why),
    ]


def way_into_appliance(context: RoleContext, machine: str) -> list[Resource]:
    """Return the backends' way in: workshops' own set-up may do anything there."""
    why = "What sets workshops up does so from the backends, with all rights on the appliance."
    return [_account(context, machine), *_sudo(context, "wod-appliance", "ALL", why=why)]


def way_to_appliances(context: RoleContext) -> list[Resource]:
    """Return what a backend needs to reach the stack's appliances; nothing without any."""
    if not context.stack.appliances:
        return []
    known, trusting = f"{CONFIGURATION}/known_hosts", "/etc/ssh/ssh_config.d/wod.conf"
    key = context.secrets.appliance_ssh_private_key
    options = f"GlobalKnownHostsFile {known} /etc/ssh/ssh_known_hosts\n"
    why = "The machines' own ssh keys, pinned when they were first met."
    return [
        File(known, context.known_hosts.encode(), why=why),
        File(trusting, options.encode(), why="Lets students' ssh know the stack's machines."),
        File(
            APPLIANCE_KEY,
            key.encode(),
            mode=0o600,
            is_secret=True,
            why="Opens the stack's appliances to root here.",
        ),
    ]


def homes_of_seats() -> Folder:
    """Return the folder of the seats' homes."""
    return Folder(HOMES, mode=0o711, why="Homes of the seats, each open to its own student alone.")


def _account(context: RoleContext, machine: str) -> Account:
    """Return the account, the same for all roles of a machine."""
    stack, secrets = context.stack, context.secrets
    roles, keys = stack.roles_of(machine), []
    if "backend" in roles:
        keys.append(f"restrict {secrets.engine_ssh_public_key}")
    if "appliance" in roles:
        backends = context.addresses_of([each.machine for each in stack.backends])
        sources = ",".join([*backends["ip"], *backends["ip6"]])
        keys.append(f'restrict,pty,from="{sources}" {secrets.appliance_ssh_public_key}')
    return Account(  # noqa: S604  (the account's shell, not one that runs anything here)
        stack.management_user,
        home=f"/var/lib/{stack.management_user}",
        shell="/bin/sh",
        comment="Workshops on Demand",
        authorized_keys=tuple(keys),
        why="By this account the platform works on the machine.",
    )


def _sudo(context: RoleContext, name: str, command: str, *, why: str) -> list[Resource]:
    rule = fill("sudoers", account=context.stack.management_user, command=command)
    return [
        Folder("/etc/sudoers.d", mode=0o750, why="Holds what accounts may do as root."),
        File(f"/etc/sudoers.d/{name}", rule, mode=0o440, why=why),
    ]

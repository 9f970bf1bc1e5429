"""The platform's own code and environment on a machine."""

from __future__ import annotations

import hashlib

from models.resources import Command, Environment, Resource, Tree
from tasks.machines import STATE
from tasks.roles.context import PROGRAMS, RoleContext

PLATFORM = f"{PROGRAMS}/platform"
ENVIRONMENT = f"{PROGRAMS}/env"
PYTHON = f"{ENVIRONMENT}/bin/python"

# What a service that runs the platform's code is restarted for.
PROGRAM_KEYS = (f"tree {PLATFORM}", f"environment {ENVIRONMENT}", "command platform: entry in its environment")


def platform_programs(context: RoleContext) -> list[Resource]:
    """Return this release and the environment that its services run in."""
    release, why = context.release, "The code of the platform's services, and the libraries that it uses."
    entry = (
        f"{STATE}/tools/bin/uv", "pip", "install", "--python", ENVIRONMENT, "--offline", "--no-deps",
        "--no-build-isolation", "--no-cache", "--editable", PLATFORM,
    )  # fmt: skip
    made_of = hashlib.sha256(release.platform_lock.encode()).hexdigest()
    return [
        Environment(ENVIRONMENT, lock=release.platform_lock, uv_lock=release.uv_lock, why=why),
        Tree(PLATFORM, release.platform, why=why),
        Command("platform: entry in its environment", entry, stamp=made_of, why=why),
    ]

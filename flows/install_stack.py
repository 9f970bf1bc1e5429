"""Installing a stack of machines."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.installation import current_installation, installation
from tasks.installing import install_role_on, on_all, publish_summary
from tasks.machines import RoleReport
from tasks.recording import chapter


@flow(name="install-stack")
async def install_stack(stack: str, ssh_key: str) -> list[RoleReport]:
    """Make the machines of the stack file what it says, all at once; what is so already is left alone."""
    async with installation(Path(stack), Path(ssh_key)) as opened:
        reports = await on_all(opened.stack.machine_names, install_machine)
        await publish_summary(opened.stack, reports)
        return reports


async def install_machine(machine: str) -> list[RoleReport]:
    """Install the roles of a machine, one after the other."""
    return [await install_role(machine, role) for role in current_installation().stack.roles_of(machine)]


@chapter("install-role")
async def install_role(machine: str, role: str) -> RoleReport:
    """Make a machine what a role says."""
    return await install_role_on(machine, role)

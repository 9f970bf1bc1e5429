"""Taking a role off a machine."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from models.stack_manifest import read_stack
from tasks.installing import undo_role_on
from tasks.machines import RoleReport


@flow(name="uninstall-role")
async def uninstall_role(stack: str, ssh_key: str, machine: str, role: str) -> list[RoleReport]:
    """Take off a machine what a role has put there; packages stay, and what people made."""
    return [await undo_role_on(read_stack(Path(stack)), Path(ssh_key), machine, role)]

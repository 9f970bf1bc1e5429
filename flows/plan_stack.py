"""Telling what an installation would change."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.installation import installation
from tasks.installing import on_all, plan_machine
from tasks.machines import RoleReport


@flow(name="plan-stack")
async def plan_stack(stack: str, ssh_key: str) -> list[RoleReport]:
    """Tell what install-stack would change on each machine; nothing is changed."""
    async with installation(Path(stack), Path(ssh_key), only_looks=True) as opened:
        return await on_all(opened.stack.machine_names, plan_machine)

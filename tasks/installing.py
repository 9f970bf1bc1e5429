"""Installing roles: each as it should be, and a report that a person reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from models.errors import Refused, StepFailed, WodError
from models.stack_manifest import StackManifest
from tasks.installation import current_installation, reach, tell
from tasks.installation_pages import as_markdown, as_summary
from tasks.machines import RoleReport, apply_role, plan_role, undo_role
from tasks.recording import publish
from tasks.roles.table import ROLES


async def install_role_on(machine: str, role: str) -> RoleReport:
    """Make a role so on a machine, and keep the report with its run.

    Raises StepFailed (role_failed), which says what failed, where, and the end of its output.
    """
    installation = current_installation()
    resources = installation.resources(machine, role)
    report = await apply_role(
        installation.machines[machine], role, resources, lambda outcome: tell(machine, role, outcome)
    )
    await publish(_slug(f"{machine}-{role}"), as_markdown(report))
    return _whole(report)


async def undo_role_on(stack: StackManifest, ssh_key: Path, machine: str, role: str) -> RoleReport:
    """Take a role off a machine; the stack's other machines are not asked, and may be away.

    Raises Refused (machine_unknown, role_unknown), and StepFailed (role_failed) as install_role_on does.
    """
    for name, known, what in ((machine, stack.machine_names, "machine"), (role, tuple(ROLES), "role")):
        if name not in known:
            message = f"There is no {what} {name} in the stack. There are: {', '.join(known)}."
            raise Refused(message, reason=f"{what}_unknown")
    async with reach(stack, [machine], ssh_key) as (machines, silent):
        if machine in silent:
            raise silent[machine]
        return _whole(await undo_role(machines[machine], role, lambda outcome: tell(machine, role, outcome)))


async def plan_machine(machine: str) -> list[RoleReport]:
    """Tell what an installation would change on a machine, role by role."""
    installation = current_installation()
    return [
        await plan_role(
            installation.machines[machine],
            role,
            installation.resources(machine, role),
            lambda outcome, role=role: tell(machine, role, outcome),  # type: ignore[misc]
        )
        for role in installation.stack.roles_of(machine)
    ]


async def on_all(machines: Sequence[str], work: Callable[[str], Awaitable[list[RoleReport]]]) -> list[RoleReport]:
    """Do `work` on all machines at once; one that fails stops no other.

    Raises StepFailed (installation_incomplete) in the end, with what stopped each machine that was stopped.
    """
    results = await asyncio.gather(*(work(machine) for machine in machines), return_exceptions=True)
    failures = [result for result in results if isinstance(result, WodError)]
    if failures:
        told = "\n".join(f"{failure} {failure.detail}".rstrip() for failure in failures)
        raise StepFailed(f"{told}\nStarted again, it goes on from there.", reason="installation_incomplete")
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [report for result in results if not isinstance(result, BaseException) for report in result]


async def publish_summary(stack: StackManifest, reports: Sequence[RoleReport]) -> None:
    """Keep a page of the whole installation with its run: addresses, where the time went, what comes next."""
    await publish(_slug(f"stack-{stack.name}"), as_summary(stack, reports))


def _whole(report: RoleReport) -> RoleReport:
    if report.failure:
        raise StepFailed(
            f"{report.machine}: the role {report.role} stopped at {report.failure.key}: {report.failure.detail}",
            reason="role_failed",
        )
    return report


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text.lower())

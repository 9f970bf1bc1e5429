"""Installing roles: each as it should be, and a report that a person reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from models.errors import Refused, StepFailed
from models.stack_manifest import StackManifest
from tasks.installation import current_installation, tell
from tasks.machines import Outcome, RoleReport, apply_role, plan_role, undo_role
from tasks.recording import publish

_BAR_WIDTH = 40
_LOADING = ("packages", "environment ")


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


async def undo_role_on(machine: str, role: str) -> RoleReport:
    """Take a role off a machine.

    Raises Refused (machine_unknown), and StepFailed (role_failed) as install_role_on does.
    """
    installation = current_installation()
    if machine not in installation.machines:
        known = ", ".join(installation.machines)
        raise Refused(f"{machine} is not a machine of the stack: {known}.", reason="machine_unknown")
    return _whole(
        await undo_role(installation.machines[machine], role, lambda outcome: tell(machine, role, outcome))
    )


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
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, StepFailed):
            raise result
    failures = [result for result in results if isinstance(result, StepFailed)]
    if failures:
        told = "\n".join(f"{failure} {failure.detail}".rstrip() for failure in failures)
        raise StepFailed(f"{told}\nStarted again, it goes on from there.", reason="installation_incomplete")
    return [report for result in results if not isinstance(result, BaseException) for report in result]


def as_markdown(report: RoleReport) -> str:
    """Return a report as a page: what was done, and where the time went."""
    lines = [
        f"# {report.machine}: {report.role}",
        "",
        f"{len(report.changed)} of {len(report.outcomes)} things were changed, in {report.seconds:.1f} s.",
        "",
        "| step | outcome | seconds | |",
        "|---|---|---|---|",
    ]
    longest = max((each.seconds for each in report.outcomes), default=0) or 1
    for each in report.outcomes:
        bar = "█" * round(_BAR_WIDTH * each.seconds / longest)
        lines.append(f"| {each.key} | {each.event} | {each.seconds:.1f} | {bar} |")
    if report.failure:
        lines += ["", "```", report.failure.detail, "```"]
    return "\n".join(lines)


async def publish_summary(stack: StackManifest, reports: Sequence[RoleReport]) -> None:
    """Keep a page of the whole installation with its run: addresses, where the time went, what comes next."""
    await publish(_slug(f"stack-{stack.name}"), as_summary(stack, reports))


def addresses(stack: StackManifest) -> dict[str, str]:
    """Return where people find the stack's services, by what they are."""
    return {
        "Catalog": stack.url("catalog"),
        "API": f"{stack.url('api')}/api/docs",
        "Prefect": stack.url("prefect"),
        **{f"Hub of {each.machine}": stack.url("hub", each.machine) for each in stack.backends},
    }


def as_summary(stack: StackManifest, reports: Sequence[RoleReport]) -> str:
    """Return the reports of an installation as a page."""
    lines = [f"# Stack {stack.name}", "", "| | |", "|---|---|"]
    lines += [f"| {what} | <{url}> |" for what, url in addresses(stack).items()]
    lines += [
        "",
        "## Where the time went",
        "",
        "| machine | role | changed | seconds | |",
        "|---|---|---|---|---|",
    ]
    longest = max((report.seconds for report in reports), default=0) or 1
    for report in reports:
        loading = round(_BAR_WIDTH * loading_seconds(report) / longest)
        other = round(_BAR_WIDTH * report.seconds / longest) - loading
        lines.append(
            f"| {report.machine} | {report.role} | {len(report.changed)} of {len(report.outcomes)}"
            f" | {report.seconds:.1f} | {'▒' * loading}{'█' * other} |"
        )
    lines += [
        "",
        "▒ packages and environments, most of it downloads; █ everything else.",
        "",
        "## Next",
        "",
        "1. Open the catalog, and book a workshop with your own address.",
        "2. Offer your own workshops: name them in the stack file under `workshops`, and install again.",
        "3. Copy the secrets of the stack to a safe place.",
    ]
    return "\n".join(lines)


def loading_seconds(report: RoleReport) -> float:
    """Return how long a role's packages and environments took, most of which is downloads."""
    return sum(each.seconds for each in report.outcomes if each.key.startswith(_LOADING))


def slowest(reports: Sequence[RoleReport], count: int) -> list[tuple[str, str, Outcome]]:
    """Return the steps that took longest, as machine, role and outcome."""
    steps = [(report.machine, report.role, each) for report in reports for each in report.outcomes]
    return sorted(steps, key=lambda step: -step[2].seconds)[:count]


def _whole(report: RoleReport) -> RoleReport:
    if report.failure:
        raise StepFailed(
            f"{report.machine}: the role {report.role} stopped at {report.failure.key}: {report.failure.detail}",
            reason="role_failed",
        )
    return report


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text.lower())

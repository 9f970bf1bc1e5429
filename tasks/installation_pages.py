"""What people read of an installation: how a role came out, where the time went, where things are."""

from __future__ import annotations

from collections.abc import Sequence

from models.stack_manifest import StackManifest
from tasks.machines import Outcome, RoleReport

LEGEND = "▒ packages and environments, most of it downloads; █ everything else"

_BAR_WIDTH = 40
_LOADING = ("packages", "environment ")


def bar(seconds: float, loading: float, longest: float) -> str:
    """Return a bar of `seconds`, of which `loading` are told apart; `longest` are as long as a bar gets."""
    light = round(_BAR_WIDTH * loading / longest)
    return "▒" * light + "█" * (round(_BAR_WIDTH * seconds / longest) - light)


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
    lines += [
        f"| {each.key} | {each.event} | {each.seconds:.1f} | {bar(each.seconds, 0, longest)} |"
        for each in report.outcomes
    ]
    if report.failure:
        lines += ["", "```", report.failure.detail, "```"]
    return "\n".join(lines)


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
        lines.append(
            f"| {report.machine} | {report.role} | {len(report.changed)} of {len(report.outcomes)}"
            f" | {report.seconds:.1f} | {bar(report.seconds, loading_seconds(report), longest)} |"
        )
    lines += [
        "",
        f"{LEGEND}.",
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

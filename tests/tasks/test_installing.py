"""What stops an installation, and what does not."""

from __future__ import annotations

import pytest
from machine_bases import ROOT

from models.errors import Refused, StepFailed
from models.stack_manifest import read_stack
from tasks.installation_pages import as_markdown, as_summary, bar
from tasks.installing import on_all, undo_role_on
from tasks.machines import Outcome, RoleReport

STACK = read_stack(ROOT / "deployments/examples/reference.yaml")


@pytest.mark.parametrize("failure", [StepFailed("no disk", reason="x"), Refused("no key", reason="x")])
async def test_a_machine_that_fails_stops_no_other_and_all_failures_are_told(failure):
    done = []

    async def work(machine):
        if machine == "good":
            done.append(machine)
            return []
        raise failure if machine == "bad" else StepFailed("worse", reason="x", detail="exit status 3")

    with pytest.raises(StepFailed) as told:
        await on_all(["bad", "worse", "good"], work)
    assert done == ["good"]
    assert failure.message in told.value.message
    assert "worse exit status 3" in told.value.message


async def test_a_mistake_of_ours_is_not_taken_for_a_machines_failure():
    async def work(machine):
        raise KeyError(machine)

    with pytest.raises(KeyError):
        await on_all(["one"], work)


@pytest.mark.parametrize(
    ("machine", "role", "reason"),
    [("be9.local", "backend", "machine_unknown"), ("be1.local", "backends", "role_unknown")],
)
async def test_what_is_not_in_the_stack_is_not_taken_off(tmp_path, machine, role, reason):
    with pytest.raises(Refused) as refused:
        await undo_role_on(STACK, tmp_path / "no key", machine, role)
    assert refused.value.reason == reason


def test_pages_tell_what_changed_and_where_the_time_went():
    outcomes = (Outcome("packages", "changed", "", 3.0), Outcome("file /x", "failed", "disk full", 1.0))
    report = RoleReport("backend", "be1.local", outcomes, 4.0)
    page = as_markdown(report)
    assert "1 of 2 things were changed, in 4.0 s" in page
    assert "disk full" in page
    summary = as_summary(STACK, [report])
    assert "https://front.local:8000" in summary
    assert bar(4.0, 3.0, 4.0) == "▒" * 30 + "█" * 10
    assert bar(4.0, 3.0, 4.0) in summary

"""The flows of prefect.yaml, loaded and registered with the Prefect server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import load_flow_from_entrypoint
from ruamel.yaml import YAML

from models.rules.booking import Work

FLOW_OF = {
    Work.SERVE: "serve-booking",
    Work.REMIND: "remind-booking",
    Work.END: "end-booking",
    Work.ABANDON: "abandon-booking",
}

PREFECT_FILE = Path(__file__).parent.parent / "prefect.yaml"


@dataclass(frozen=True)
class RegisteredFlow:
    """A flow and the deployment that its runs belong to."""

    flow: Flow[..., Any]
    deployment_id: UUID


def load_flows() -> dict[str, tuple[Flow[..., Any], dict[str, Any]]]:
    """Return the flows of prefect.yaml by name, each with its entry there."""
    entries = YAML(typ="safe").load(PREFECT_FILE.read_text())["deployments"]
    # No placeholder: a flow that can't be imported must fail here, not in a student's run.
    flows = {}
    for entry in entries:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"], use_placeholder_flow=False)
        flows[flow.name] = (flow, entry)
    return flows


async def register_flows(client: PrefectClient, pool: str) -> dict[str, RegisteredFlow]:
    """Bring the server's work pool and deployments to what prefect.yaml says; return them by flow name."""
    about = "Run by the engines; no worker may poll it."
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=pool, type="process", description=about))
    flows = load_flows().items()
    return {name: RegisteredFlow(flow, await _register(flow, entry)) for name, (flow, entry) in flows}


async def _register(flow: Flow[..., Any], entry: dict[str, Any]) -> UUID:
    deployment = RunnerDeployment.from_flow(
        flow,
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        work_pool_name=entry["work_pool"]["name"],
    )
    deployment.entrypoint = entry["entrypoint"]
    # Only fields that count as set are written: what operators have set themselves stays.
    deployment.model_fields_set.difference_update({"schedules", "parameters"})
    deployment_id: UUID = await deployment.aapply()
    return deployment_id

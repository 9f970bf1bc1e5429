"""Running flows in this process, each as a run of its Prefect deployment.

Prefect is a witness here, not the judge: it may run a flow twice, forget one or be away, and bookings are
right all the same, since leases and generations guard them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.context import AsyncClientContext
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending

from deployments.engine.loops import summary
from deployments.engine.registry import RegisteredFlow, load_flows, register_flows
from models.errors import Stale, WodError
from tasks.recording import unrecorded

logger = logging.getLogger(__name__)

POOL = "wod-engine"
ENGINE_GONE = "The engine that ran it is gone."
_ENGINE_LABEL = "wod.engine"
_PATIENCE_SECONDS = 30
_PATIENCE_STEP_SECONDS = 0.3
_PREFECT_TROUBLE = (httpx.TransportError, PrefectHTTPStatusError, ObjectNotFound)


class Recorder:
    """Runs flows, recorded in Prefect while its server answers and unrecorded while it doesn't.

    `is_available` tells whether the server answered last.
    """

    def __init__(self, worker_name: str) -> None:
        self._worker_name = worker_name
        self._plain = {name: flow for name, (flow, _) in load_flows().items()}
        self._registered: dict[str, RegisteredFlow] = {}
        self.is_available = False
        self._owed: dict[UUID, State[Any]] = {}
        self._stack = AsyncExitStack()
        self._client: PrefectClient = get_client()

    async def __aenter__(self) -> Recorder:
        self._client = await self._stack.enter_async_context(get_client())
        await self._share_client()
        await self.look()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def _share_client(self) -> None:
        """Wait a while for the server, and have all runs use one client: that saves a quarter of their CPU.

        When the server doesn't answer by then, each run will make a client of its own.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                await self._stack.enter_async_context(AsyncClientContext())
            except RuntimeError:
                await asyncio.sleep(_PATIENCE_STEP_SECONDS)
            else:
                return

    async def run(self, flow_name: str, key: str, label: str, **parameters: Any) -> None:
        """Run a flow to its end; what it raises is raised here.

        `key` names the story that the run tells: all attempts with one key are one run in Prefect.
        """
        flow_run = await self._begin(flow_name, key, label, parameters)
        if flow_run is None:
            await self._run_unrecorded(flow_name, parameters)
        else:
            await self.run_as(flow_run, flow_name, **parameters)

    async def run_as(self, flow_run: FlowRun, flow_name: str, **parameters: Any) -> None:
        """Run a flow as a Prefect run that is Pending and ours."""
        # Without its deployment's id the client opens no websocket to watch for a suspension, which would
        # cost half as much again as the run; the server's record keeps the id.
        watched_by_nobody = flow_run.model_copy(update={"deployment_id": None})
        try:
            await run_flow_async(self._plain[flow_name], flow_run=watched_by_nobody, parameters=parameters)
        except _PREFECT_TROUBLE as error:
            self._lose(error)
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise asyncio.CancelledError from error
            await self._finish_unrecorded(flow_run, flow_name, parameters)

    async def _finish_unrecorded(self, flow_run: FlowRun, flow_name: str, parameters: dict[str, Any]) -> None:
        """Do what a run that lost the server may have left; the server hears of its end when it is back."""
        try:
            await self._run_unrecorded(flow_name, parameters)
        except WodError as error:
            is_done = isinstance(error, Stale) and error.generation is None
            if not is_done and error.reason != "transition_not_allowed":
                self._owed[flow_run.id] = Failed(message=error.message)
                raise
            logger.info("%s had nothing left to do: %s", flow_run.name, error.message)
        self._owed[flow_run.id] = Completed(message="Finished while the Prefect server was away.")

    async def look(self) -> None:
        """See whether the server answers; if so report for work, register, and settle what is owed."""
        try:
            if not self._registered:
                self._registered = await register_flows(self._client, POOL)
            await self._client.send_worker_heartbeat(POOL, self._worker_name, heartbeat_interval_seconds=30)
            for run_id, state in list(self._owed.items()):
                await self._client.set_flow_run_state(run_id, state, force=True)
                del self._owed[run_id]
        except _PREFECT_TROUBLE as error:
            self._lose(error)
        else:
            if not self.is_available:
                logger.info("Prefect answers; runs are recorded")
            self.is_available = True

    async def scheduled(self) -> list[FlowRun]:
        """Return the runs that operators started or retried; each waits to be claimed."""
        if not self.is_available:
            return []
        found = await self._client.get_scheduled_flow_runs_for_work_pool(POOL)
        return [each.flow_run for each in found]

    async def claim(self, run: FlowRun, owner: str) -> str:
        """Make a scheduled run ours, and say so on it; return its flow's name, empty when another was first."""
        names = {each.deployment_id: name for name, each in self._registered.items()}
        # An unforced step to Pending is a claim: a second engine that tries is told to abort.
        answer: OrchestrationResult[Any] = await self._client.set_flow_run_state(run.id, Pending())
        is_ours = answer.status == SetStateStatus.ACCEPT and run.deployment_id in names
        if not is_ours or run.deployment_id is None:
            return ""
        await self._client.update_flow_run_labels(run.id, {_ENGINE_LABEL: owner})
        return names[run.deployment_id]

    async def read(self, run_id: UUID) -> FlowRun:
        """Return a run as it is now."""
        return await self._client.read_flow_run(run_id)

    async def cancelling(self) -> list[FlowRun]:
        """Return the runs that an operator wants cancelled."""
        if not self.is_available:
            return []
        return await self._runs_in(StateType.CANCELLING)

    async def open_before(self, moment: datetime) -> list[tuple[str, FlowRun]]:
        """Return the runs that have been Pending or Running since before `moment`, with their flows' names."""
        if not self.is_available:
            return []
        names = {each.deployment_id: name for name, each in self._registered.items()}
        found = await self._runs_in(StateType.PENDING, StateType.RUNNING)
        return [
            (names[run.deployment_id], run)
            for run in found
            if run.deployment_id and run.state and run.state.timestamp < moment
        ]

    async def _runs_in(self, *types: StateType) -> list[FlowRun]:
        ours = [each.deployment_id for each in self._registered.values()]
        wanted = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=ours), state=_in_states(*types))
        return await self._client.read_flow_runs(flow_run_filter=wanted)

    async def close(self, run_id: UUID, state: State[Any]) -> None:
        """Tell Prefect how a run has ended, and the same of the runs within it that are still open there."""
        parents = FlowRunFilterParentFlowRunId(any_=[run_id])
        wanted = FlowRunFilter(parent_flow_run_id=parents, state=_in_states(StateType.PENDING, StateType.RUNNING))
        for run in await self._client.read_flow_runs(flow_run_filter=wanted):
            await self._client.set_flow_run_state(run.id, state, force=True)
        await self._client.set_flow_run_state(run_id, state, force=True)

    async def mark_cancelled(self, run_id: UUID) -> None:
        """Tell Prefect that a run was cancelled."""
        await self.close(run_id, Cancelled())

    async def mark_failed(self, run_id: UUID, why: str) -> None:
        """Tell Prefect that a run can't be done, and why."""
        await self.close(run_id, Failed(message=why))

    async def _begin(self, flow_name: str, key: str, label: str, parameters: dict[str, Any]) -> FlowRun | None:
        if not self.is_available:
            return None
        try:
            run = await self._client.create_flow_run_from_deployment(
                self._registered[flow_name].deployment_id,
                parameters=parameters,
                state=Pending(),
                idempotency_key=key,
                name=label,
            )
            if run.state is not None and run.state.is_pending() and run.run_count == 0:
                return run
            if run.state is not None and run.state.is_running():
                await self._client.set_flow_run_state(run.id, Crashed(message=ENGINE_GONE), force=True)
            await self._client.set_flow_run_state(run.id, Pending(name="Resuming"), force=True)
            return await self._client.read_flow_run(run.id)
        except _PREFECT_TROUBLE as error:
            self._lose(error)
            return None

    async def _run_unrecorded(self, flow_name: str, parameters: dict[str, Any]) -> None:
        function: Callable[..., Awaitable[None]] = self._plain[flow_name].fn
        with unrecorded():
            await function(**parameters)

    def _lose(self, error: Exception) -> None:
        if self.is_available:
            logger.warning("Prefect does not answer (%s); going on unrecorded", type(error).__name__)
        self.is_available = False
        if isinstance(error, ObjectNotFound):
            self._registered = {}  # its database was lost: register anew


async def for_each_run(runs: Iterable[FlowRun], work: Callable[[FlowRun], Awaitable[None]]) -> None:
    """Do something with each run; one that it fails for keeps no other from it."""
    for run in runs:
        try:
            await work(run)
        except Exception as error:
            logger.warning("run %s: %s failed: %s", run.name, work.__qualname__, summary(error))


def engine_of(run: FlowRun) -> str:
    """Return the owner of the engine that claimed a run of an operator, empty when none did."""
    return str(run.labels.get(_ENGINE_LABEL, ""))


def _in_states(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))

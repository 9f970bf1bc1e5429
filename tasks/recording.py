"""Steps of the flows: Prefect tasks that can also run unrecorded while the Prefect server is away.

Prefect shows, retries and reports; it is not needed to serve a student. An engine that can't reach the
server runs the same flow functions inside `unrecorded()`, where each step is its plain function.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.tasks import Task, exponential_backoff

from models.errors import Refused, Stale

P = ParamSpec("P")
R = TypeVar("R")

# Short troubles are over within seconds; longer ones are the engine's, which postpones the whole booking.
QUICK_RETRIES = 2
QUICK_RETRY_SECONDS = 1

_is_unrecorded: ContextVar[bool] = ContextVar("is_unrecorded", default=False)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Run the steps inside as plain functions, without Prefect."""
    token = _is_unrecorded.set(True)
    try:
        yield
    finally:
        _is_unrecorded.reset(token)


async def publish(key: str, page: str) -> None:
    """Keep a page of Markdown with the run in Prefect, where there is one; `key` names its story over time."""
    if not _is_unrecorded.get() and FlowRunContext.get() is not None:
        await acreate_markdown_artifact(key=key, markdown=page)


def chapter(name: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Make a coroutine function a part of a flow with a run of its own in Prefect, called `name`."""

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        recorded = flow(name=name, flow_run_name=f"{name}: {{machine}} {{role}}", validate_parameters=False)(
            function
        )

        @wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return await (function if _is_unrecorded.get() else recorded)(*args, **kwargs)

        return call

    return decorate


def step(name: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Make a coroutine function a step: a Prefect task called `name`, retried when that may help."""

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        recorded = task(
            name=name,
            retries=QUICK_RETRIES,
            retry_delay_seconds=exponential_backoff(QUICK_RETRY_SECONDS),
            retry_condition_fn=_may_help,
        )(function)

        @wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return await (function if _is_unrecorded.get() else recorded)(*args, **kwargs)

        return call

    return decorate


async def _may_help(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Tell whether running a failed step again could end otherwise."""
    try:
        await state.aresult()
    except (Refused, Stale):
        return False
    except Exception:
        return True
    return False

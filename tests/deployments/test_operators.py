"""What operators do in Prefect: find a booking's run, start one, cancel one, take a catalog in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import httpx
import pytest
from eventually import eventually
from faults.bursts import kill

from deployments.rehearsal.own_platform import own_platform
from models.rules.booking import MailKind

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WORKSHOP = "WKSHP-Python-First-Steps"


@pytest.fixture(scope="module")
def platform():
    with own_platform() as running:
        yield running


class Operator:
    """An operator at the Prefect API."""

    def __init__(self, platform):
        self.platform = platform
        self.url = f"{platform.settings.url('prefect')}/api"

    def ask(self, path, **body):
        return httpx.post(f"{self.url}/{path}", json=body).raise_for_status().json()

    def ask_with_list(self, path, *items):
        return httpx.post(f"{self.url}/{path}", json=items).raise_for_status().json()

    def runs(self, **filters):
        return self.ask("flow_runs/filter", **({"flow_runs": filters} if filters else {}))

    def deployments(self):
        found = self.ask("deployments/filter")
        return {each["entrypoint"].rpartition(".")[2]: each for each in found}

    def run_deployment(self, name, **parameters):
        """Do what `prefect deployment run` does in the operator's terminal."""
        given = [part for key, value in parameters.items() for part in ("-p", f"{key}={json.dumps(value)}")]
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "deployment", "run", name, *given],
            env=os.environ | {"PREFECT_API_URL": self.url},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def retry(self, run):
        """Do what the button "Retry" of Prefect's UI does."""
        wish = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        answer = self.ask(f"flow_runs/{run['id']}/set_state", state=wish, force=False)
        assert answer["status"] == "ACCEPT"

    async def wait_for(self, find, timeout_seconds=60):
        return await eventually(find, lambda: f"it comes so. The runs: {self.runs()}", timeout_seconds)


async def post_booking(platform, email):
    wish = {"workshop": WORKSHOP, "email": email, "name": "A Student", "accept_terms": True}
    async with httpx.AsyncClient(base_url=platform.api_url, timeout=30) as api:
        return (await api.post("/api/v1/bookings", json=wish)).raise_for_status().json()["reference"]


async def book(platform, email):
    reference = await post_booking(platform, email)
    await platform.mailbox.wait_for(MailKind.CREDENTIALS, email, 60)
    return reference


def state(platform, reference):
    return httpx.get(f"{platform.api_url}/api/v1/bookings/{reference}").json()["state"]


async def test_a_booking_is_a_run_of_its_deployment(platform):
    operator = Operator(platform)
    await book(platform, "found@example.com")
    serve = operator.deployments()["serve_booking"]
    (run,) = await operator.wait_for(
        lambda: [run for run in operator.runs(state={"type": {"any_": ["COMPLETED"]}}) if run["name"]]
    )
    assert run["deployment_id"] == serve["id"]
    assert run["parameters"] == {"booking_id": 1}
    assert {each["work_pool_name"] for each in operator.deployments().values()} == {"wod-engine"}
    (worker,) = operator.ask("work_pools/wod-engine/workers/filter")
    assert worker["status"] == "ONLINE"


async def test_no_secret_is_in_what_prefect_keeps(platform):
    operator = Operator(platform)
    reference = await book(platform, "secret@example.com")
    mail = platform.mailbox.find(MailKind.CREDENTIALS, "secret@example.com")
    password = mail.get_body(("plain",)).get_content().split("Password:")[1].split()[0]
    for kept in map(json.dumps, (operator.ask("logs/filter"), operator.ask("task_runs/filter"), operator.runs())):
        assert password not in kept
        assert reference not in kept
        assert "secret@example.com" not in kept


async def test_an_operator_ends_a_session_by_hand(platform):
    operator = Operator(platform)
    reference = await book(platform, "ended@example.com")
    booking_id = max(run["parameters"]["booking_id"] for run in operator.runs())
    await asyncio.to_thread(operator.run_deployment, "end-booking/bookings", booking_id=booking_id)
    await operator.wait_for(lambda: state(platform, reference) == "ended")


async def test_an_operator_cancels_a_preparation_that_hangs(platform):
    operator = Operator(platform)
    serve = operator.deployments()["serve_booking"]["id"]
    kill(platform, "hub", signal.SIGSTOP)
    try:
        reference = await post_booking(platform, "cancelled@example.com")
        (run,) = await operator.wait_for(
            lambda: operator.runs(deployment_id={"any_": [serve]}, state={"type": {"any_": ["RUNNING"]}})
        )
        operator.ask(f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"}, force=True)
        await operator.wait_for(lambda: state(platform, reference) == "abandoning")
    finally:
        kill(platform, "hub", signal.SIGCONT)
    await operator.wait_for(lambda: state(platform, reference) == "failed")
    await platform.mailbox.wait_for(MailKind.APOLOGY, "cancelled@example.com", 60)
    await operator.wait_for(lambda: operator.runs(id={"any_": [run["id"]]})[0]["state"]["type"] == "CANCELLED")


async def test_an_operator_retries_a_preparation_after_mending_its_cause():
    # The engine's own next attempt is far away.
    with own_platform(
        retry_first_seconds=1800, retry_longest_seconds=1800, prepare_limit_seconds=3600
    ) as platform:
        operator = Operator(platform)
        records = platform.settings.homes / ".seats"
        aside = records.rename(records.with_name("aside"))
        reference = await post_booking(platform, "retried@example.com")
        (run,) = await operator.wait_for(lambda: operator.runs(state={"type": {"any_": ["FAILED"]}}))
        assert state(platform, reference) == "preparing"
        aside.rename(records)
        operator.retry(run)
        await operator.wait_for(lambda: state(platform, reference) == "ready")
        await platform.mailbox.wait_for(MailKind.CREDENTIALS, "retried@example.com", 60)
        await operator.wait_for(lambda: [each["state"]["type"] for each in operator.runs()] == ["COMPLETED"])
        assert [each["id"] for each in operator.runs()] == [run["id"]]


@pytest.mark.parametrize("booking_id", [999, 20261123001])
async def test_what_can_not_be_done_fails_with_the_reason(platform, booking_id):
    operator = Operator(platform)
    await asyncio.to_thread(operator.run_deployment, "serve-booking/bookings", booking_id=booking_id)
    failed = {"state": {"type": {"any_": ["FAILED"]}}}
    (run,) = await operator.wait_for(
        lambda: [run for run in operator.runs(**failed) if run["parameters"] == {"booking_id": booking_id}]
    )
    assert str(booking_id) in run["state"]["message"]


async def test_an_operator_takes_a_catalog_in(platform):
    operator = Operator(platform)
    samples = str(platform.layout.source / "deployments/workshops")
    await asyncio.to_thread(operator.run_deployment, "sync-catalog/catalog", source=samples)
    deployment = operator.deployments()["sync_catalog"]["id"]
    (run,) = await operator.wait_for(
        lambda: operator.runs(
            deployment_id={"any_": [deployment]}, state={"type": {"any_": ["COMPLETED", "FAILED"]}}
        )
    )
    assert run["state"]["type"] == "COMPLETED"


@pytest.fixture
async def silent_repository():
    """Yield the address of a repository whose server takes connections and says nothing, and those connections."""
    taken: list[asyncio.StreamReader] = []
    held: list[asyncio.StreamWriter] = []

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(reader)
        held.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1")
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/workshops.git", taken
        for writer in held:
            writer.close()


async def begin_to_take_in(operator, repository):
    """Start to take in a catalog that never comes; return the run, once somebody works on it."""
    address, taken = repository
    await asyncio.to_thread(operator.run_deployment, "sync-catalog/catalog", source=address)
    await operator.wait_for(lambda: taken)
    (run,) = [each for each in operator.runs() if each["parameters"].get("source") == address]
    assert run["state"]["type"] == "RUNNING"
    assert run["labels"]["wod.engine"], "it is told whose it is"
    return run


def state_of_run(operator, run):
    return operator.runs(id={"any_": [run["id"]]})[0]["state"]["type"]


async def test_an_operator_cancels_what_is_about_no_booking(platform, silent_repository):
    operator = Operator(platform)
    run = await begin_to_take_in(operator, silent_repository)
    operator.ask(f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"}, force=True)
    await operator.wait_for(lambda: state_of_run(operator, run) == "CANCELLED")
    (connection,) = silent_repository[1]
    async with asyncio.timeout(10):
        await connection.read()  # to its end: nobody fetches it any more


async def test_what_a_killed_engine_left_running_is_closed(platform, silent_repository):
    operator = Operator(platform)
    run = await begin_to_take_in(operator, silent_repository)
    kill(platform, "engine")
    await operator.wait_for(lambda: state_of_run(operator, run) == "CRASHED", 150)


async def test_what_operators_schedule_is_planned(platform):
    operator = Operator(platform)
    deployment = operator.deployments()["sync_catalog"]["id"]
    yearly = {"schedule": {"cron": "0 3 1 1 *", "timezone": "UTC"}, "active": True, "parameters": {"source": "x"}}
    operator.ask_with_list(f"deployments/{deployment}/schedules", yearly)
    planned = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    # Prefect's scheduler looks once a minute.
    await operator.wait_for(lambda: operator.runs(**planned), 120)

"""The figures for Prometheus, and who may read them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ui_services import Process, Shop

from models.rules.booking import BookingEvent
from ui.api.client import ApiClient
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration

Key = tuple[str, frozenset[tuple[str, str]]]

DOCUMENT = Path(__file__).parents[2] / "docs/monitoring.md"


async def read(web: httpx.AsyncClient) -> dict[Key, float]:
    """Return all samples, by name and labels."""
    answer = await web.get("/api/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def read_until(web: httpx.AsyncClient, *expected: tuple[Key, float]) -> dict[Key, float]:
    """Return the samples once these are among them: what is read from all rows is read anew after a while."""
    for _ in range(300):
        found = await read(web)
        if all(found.get(key) == value for key, value in expected):
            break
        await asyncio.sleep(0.1)
    return found


def key(name: str, **labels: str) -> Key:
    return name, frozenset(labels.items())


def sample(found: dict[Key, float], name: str, **labels: str) -> float | None:
    return found.get(key(name, **labels))


def book(client: ApiClient, email: str) -> str:
    wish = BookingRequest(workshop="WKSHP-Test101", email=email, name="Ana", accept_terms=True)
    return client.book(wish).reference


async def test_the_figures_are_those_of_the_database(
    shop: Shop, web: httpx.AsyncClient, client: ApiClient
) -> None:
    await shop.offer()
    before = await read(web)
    assert sample(before, "wod_seats", backend="localhost", use="free") == 40
    assert sample(before, "wod_time_to_ready_seconds_count") == 0
    ready, ended, _ = (book(client, f"{name}@example.org") for name in ("a", "b", "c"))
    await shop.serve(ready)
    await shop.serve(ended)
    await shop.move(ended, BookingEvent.LEAVE)
    await shop.move(ended, BookingEvent.RELEASE)
    await shop.rows("UPDATE booking SET ready_at = created_at + interval '4 seconds' WHERE ready_at IS NOT NULL")
    await shop.rows("UPDATE booking SET due_at = now() - interval '1 minute' WHERE state = 'reserved'")
    await shop.rows(
        "UPDATE mail SET given_up_at = now(), attempts = 1, created_at = now() - interval '1 hour'"
        " WHERE sent_at IS NULL AND kind = 'welcome'"
    )
    given_up = key("wod_mails", kind="welcome", fate="given_up")
    assert before[given_up] == 0, "an increase is seen of what was there before"
    found = await read_until(web, (key("wod_bookings", state="ended"), 1), (given_up, 1))
    for state in ("reserved", "ready", "ended"):
        assert sample(found, "wod_bookings", state=state) == 1
    assert sample(found, "wod_seats", backend="localhost", use="booked") == 2
    assert sample(found, "wod_seats", backend="localhost", use="free") == 38
    assert sample(found, "wod_time_to_ready_seconds_bucket", le="3.0") == 0
    assert sample(found, "wod_time_to_ready_seconds_bucket", le="5.0") == 2
    assert sample(found, "wod_time_to_ready_seconds_bucket", le="+Inf") == 2
    assert sample(found, "wod_time_to_ready_seconds_sum") == 8
    assert sample(found, "wod_mails", kind="credentials", fate="sent") == 2
    assert found[given_up] == 1
    assert (sample(found, "wod_engine_lag_seconds") or 0) >= 60
    # The mail that was given up waits for nothing.
    assert 0 <= found[key("wod_mail_lag_seconds")] < 3600
    assert sample(found, "wod_backend_well", backend="localhost") == 1


async def test_requests_are_counted_by_route_and_never_by_path(
    shop: Shop, web: httpx.AsyncClient, client: ApiClient
) -> None:
    await shop.offer()
    reference = book(client, "a@example.org")
    client.booking(reference)
    for path in ("/nothing", "/api/v1/bookings/" + "A" * 24):
        await web.get(path)
    await web.request("MADEUP", "/api/v1/brand")
    text = (await web.get("/api/metrics")).text
    assert reference not in text
    assert "A" * 24 not in text
    assert "MADEUP" not in text
    found = await read(web)
    labels = {"method": "GET", "route": "/api/v1/bookings/{reference}"}
    assert (sample(found, "wod_api_request_seconds_count", status="200", **labels) or 0) >= 1
    assert (sample(found, "wod_api_request_seconds_count", status="404", **labels) or 0) >= 1
    assert sample(found, "wod_api_request_seconds_count", method="GET", route="none", status="404")
    assert sample(found, "wod_api_request_seconds_count", method="other", route="/api/v1/brand", status="405")


async def test_strangers_get_no_figures(api: Process, web: httpx.AsyncClient) -> None:
    stranger = {"X-Forwarded-For": "203.0.113.9"}
    answer = await web.get("/api/metrics", headers=stranger)
    assert (answer.status_code, answer.json()["reason"]) == (403, "metrics_closed")
    assert "wod_" not in answer.json()["message"].replace("wod_api", "")


async def test_the_figures_of_all_times_are_not_counted_at_each_look(shop: Shop, web: httpx.AsyncClient) -> None:
    """A look that took long is good for long: what it costs has a limit, however many bookings there are."""
    from ui.api.lasting import Lasting

    asked = []

    async def slow(session: object) -> int:
        asked.append(session)
        await shop.rows("SELECT pg_sleep(0.1)")
        return len(asked)

    lasting = Lasting(slow)
    async with shop.database.transaction() as session:
        assert [await lasting.get(session) for _ in range(5)] == [1] * 5


async def test_each_figure_is_documented(shop: Shop, web: httpx.AsyncClient) -> None:
    families = text_string_to_metric_families((await web.get("/api/metrics")).text)
    names = {family.name for family in families if not family.name.endswith("_created")}
    documented = DOCUMENT.read_text()
    assert [name for name in sorted(names) if f"`{name}" not in documented] == []


async def test_the_rules_ask_for_figures_that_there_are(shop: Shop, web: httpx.AsyncClient) -> None:
    text = (await web.get("/api/metrics")).text
    rules = DOCUMENT.read_text().partition("Rules to begin with")[2]
    asked = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\bwod_[a-z_]+", rules)}
    assert len(asked) >= 6
    assert [name for name in sorted(asked) if f"# TYPE {name} " not in text] == []

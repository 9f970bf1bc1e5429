"""The API as a service: what it tells of itself, what it hides, and how it behaves in trouble."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from alembic.script import ScriptDirectory

from models.rules.booking import BookingState
from models.settings import Settings
from models.store.condition import newest_revision
from models.store.engines import beat as engine_beat
from models.store.engines import end_beat, living_engines
from models.tables import utc_now
from ui.api import schemas
from ui.api.client import ApiClient, ApiError
from ui.api.guard import BODY_LIMIT_BYTES
from ui.api.main import create_app
from ui.api.parts import COMPATIBLE
from ui.api.schemas import BookingRequest

pytestmark = pytest.mark.integration


def test_the_newest_revision_is_alembics_head():
    assert ScriptDirectory("models/migrations").get_current_head() == newest_revision()


def test_clients_know_every_state():
    assert set(schemas.BookingState.__args__) == {state.value for state in BookingState}


async def test_workshops_are_listed_with_what_can_be_shown(shop, client):
    await shop.offer("WKSHP-B", title="B", priority=2)
    await shop.offer(
        "WKSHP-A",
        title="A <script>",
        priority=1,
        image="tbd",
        avatar="/img/a.png",
        badge_image="https://example.org/b.png",
        replay_link="https://youtu.be/",
    )
    await shop.offer("WKSHP-Off", active=False)
    found = client.workshops()
    assert [each.key for each in found] == ["WKSHP-A", "WKSHP-B"]
    first = found[0]
    assert (first.title, first.image, first.avatar, first.replay_link) == ("A <script>", "", "", "")
    assert (first.badge_image, first.free_seats, first.capacity) == ("https://example.org/b.png", 20, 20)
    assert schemas.Workshop(**client.workshop("WKSHP-A").model_dump(exclude={"readme"})) == first


@pytest.mark.parametrize("key", ["None", "WKSHP-Off", "%00", "a/b", "x" * 5000])
async def test_unknown_workshops_are_not_found(shop, web, key):
    await shop.offer("WKSHP-Off", active=False)
    answer = await web.get(f"/api/v1/workshops/{key}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_brand_comes_from_the_settings():
    settings = Settings(brand="Ours", brand_url="???", terms_url="https://example.org/t", brand_color="#123456")
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        brand = schemas.Brand.model_validate((await client.get("/api/v1/brand")).json())
    assert (brand.name, brand.url, brand.terms_url, brand.color) == (
        "Ours",
        "",
        "https://example.org/t",
        "#123456",
    )


async def test_every_operation_documents_its_answers(web):
    schema = (await web.get("/api/openapi.json")).json()
    operations = {
        (method, path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations["post", "/api/v1/bookings"]["responses"]) == {
        "201", "400", "404", "409", "413", "422", "429", "503",
    }  # fmt: skip
    for name, operation in operations.items():
        assert operation["description"], name
        if COMPATIBLE in operation["tags"]:
            continue
        for status, answer in operation["responses"].items():
            if status >= "400" and name != ("get", "/api/health"):
                assert list(answer["content"]) == ["application/problem+json"], name
    for example in operations["post", "/api/v1/bookings"]["responses"]["409"]["content"].values():
        for value in example["examples"].values():
            schemas.Problem.model_validate(value["value"])


async def test_the_description_for_people_needs_nothing_from_elsewhere(web):
    page = await web.get("/api/docs")
    assert page.status_code == 200
    assert "/api/v1/bookings/{reference}" in page.text
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(https?:)?//', page.text)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/v1/bookings", 405, "method_not_allowed"),
        ("PUT", "/api/v1/workshops", 405, "method_not_allowed"),
    ],
)
async def test_wrong_addresses_are_problems_too(web, method, path, status, reason):
    answer = await web.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_every_answer_has_the_security_headers(shop, web):
    for path in ("/api/v1/workshops", "/api/docs", "/nothing", f"/api/v1/bookings/{'A' * 24}"):
        headers = (await web.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_body_without_a_declared_length_is_limited_too(web):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(2 * BODY_LIMIT_BYTES // 1024):
            yield b" " * 1024

    answer = await web.post("/api/v1/bookings", content=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "request_too_large")


async def test_a_lying_length_does_no_harm(api):
    address = urlsplit(api.url)
    for length in ("-1", "x", "99999999999999999999"):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            head = f"POST /api/v1/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))


async def test_the_log_tells_the_route_and_neither_references_nor_addresses(shop, api, client):
    await shop.offer()
    wish = BookingRequest(
        workshop="WKSHP-Test101", email="quiet@example.org", name="Quiet Name", accept_terms=True
    )
    created = client.book(wish)
    client.booking(created.reference)
    with pytest.raises(ApiError):
        client.book(wish)
    log = api.log.read_text()
    for secret in (created.reference, "quiet", "Quiet Name"):
        assert secret not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {"method", "route", "status", "milliseconds", "at"} <= set(lines[-1])
    assert "/api/v1/bookings/{reference}" in {line.get("route") for line in lines}


async def beat(shop, sees_prefect=True, ago_seconds=0):
    """Be the only engine."""
    async with shop.database.transaction() as session:
        for each in await living_engines(session, utc_now()):
            await end_beat(session, each.owner)
        await engine_beat(session, "e", utc_now() - timedelta(seconds=ago_seconds), sees_prefect=sees_prefect)


async def test_health_tells_what_waits(shop, client):
    await beat(shop)
    assert client.health().status == "ok"
    await shop.offer()
    client.book(BookingRequest(workshop="WKSHP-Test101", email="a@example.org", name="Ana", accept_terms=True))
    assert client.health().status == "ok"
    await shop.rows("UPDATE booking SET due_at = now() - interval '1 hour'")
    health = client.health()
    assert (health.status, health.parts["engine"].ok, health.parts["mail"].ok) == ("degraded", False, True)
    assert 3600 <= (health.parts["engine"].seconds or 0) < 3700
    await shop.rows("UPDATE booking SET lease_until = now() + interval '1 minute'")
    await shop.rows("UPDATE mail SET created_at = now() - interval '1 hour'")
    health = client.health()
    assert (health.status, health.parts["engine"].ok, health.parts["mail"].ok) == ("degraded", True, False)
    await shop.rows("UPDATE mail SET given_up_at = now()")
    mail = client.health().parts["mail"]
    assert (mail.ok, mail.seconds) == (True, 0)


async def test_health_tells_that_no_engine_runs(shop, client):
    await shop.rows("DELETE FROM engine_beat")
    health = client.health()
    assert (health.status, health.parts["engine"].ok) == ("degraded", False)
    assert "prefect" not in health.parts
    await beat(shop, ago_seconds=120)
    assert client.health().parts["engine"].message.startswith("No engine runs")
    await beat(shop, ago_seconds=30)
    assert client.health().status == "ok"


async def test_health_tells_that_prefect_is_away(shop, client):
    await beat(shop, sees_prefect=False)
    health = client.health()
    assert (health.status, health.parts["prefect"].ok) == ("degraded", False)
    assert health.parts["engine"].ok


async def test_health_tells_which_hub_does_not_answer_and_not_why(shop, client):
    await beat(shop)
    await shop.rows("UPDATE backend SET hub_failure = 'http://127.0.0.1:1 refuses.'")
    health = client.health()
    assert (health.status, health.parts["backends"].message) == ("degraded", "The hub does not answer: localhost.")


async def test_health_tells_which_backend_is_not_ready_and_not_why(shop, client):
    await beat(shop)
    await shop.rows("UPDATE backend SET failure = 'localhost can''t be reached over ssh.'")
    health = client.health()
    assert (health.status, health.parts["backends"].ok) == ("degraded", False)
    assert "localhost" in health.parts["backends"].message
    assert "ssh" not in health.parts["backends"].message
    await shop.rows("UPDATE backend SET failure = '', ready_at = NULL")
    assert client.health().status == "degraded"
    await shop.rows("UPDATE backend SET retired = true")
    assert client.health().status == "ok"


async def test_health_tells_of_a_database_of_another_release(shop, web, client):
    await shop.rows("UPDATE alembic_version SET version_num = '0000'")
    try:
        health = client.health()
        assert (health.status, health.parts["migrations"].ok) == ("down", False)
        assert (await web.get("/api/health")).status_code == 503
    finally:
        await shop.rows("UPDATE alembic_version SET version_num = :at", at=newest_revision())


async def test_a_secret_that_is_missing_is_nobody_elses_business(postgres):
    app = create_app(Settings(database_url=postgres.url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        answer = await client.get("/api/v1/me/x")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal_error")
    assert "link_key" not in answer.text


async def test_a_database_that_was_never_migrated_is_told(postgres):
    app = create_app(Settings(database_url=postgres.url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        answer = await client.get("/api/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        failed = await client.get("/api/v1/workshops")
        assert (failed.status_code, failed.json()["reason"]) == (500, "internal_error")
        assert "SELECT" not in failed.text
        assert "Traceback" not in failed.text


@pytest.mark.fault
async def test_while_the_database_is_away_nothing_fails_badly(shop, postgres, web, client):
    await shop.offer()
    wish = BookingRequest(workshop="WKSHP-Test101", email="a@example.org", name="Ana", accept_terms=True)
    client.workshops()
    postgres.stop()
    try:
        for path in ("/api/v1/workshops", f"/api/v1/bookings/{'A' * 24}"):
            answer = await web.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (503, "database_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        with pytest.raises(ApiError) as refused:
            client.book(wish)
        assert refused.value.is_outage
        assert (client.health().status, client.health().parts["database"].ok) == ("down", False)
        assert client.brand().name
    finally:
        postgres.start()
    assert client.book(wish).state == "reserved"


def test_a_client_without_an_api_says_so():
    with ApiClient("http://127.0.0.1:9") as client, pytest.raises(ApiError) as refused:
        client.workshops()
    assert (refused.value.reason, refused.value.is_outage) == ("api_unreachable", True)

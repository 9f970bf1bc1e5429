"""How often one address may ask, and whose word on addresses is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from limits import parse
from postgres import PrivatePostgres
from pydantic import TypeAdapter, ValidationError
from ui_services import Process, api_command, free_port, serve_process

from models.errors import Refused
from models.setting_values import Network, Origin, Rate
from models.settings import Settings, load_settings
from ui.api.client import ApiClient, ApiError
from ui.api.main import create_app
from ui.api.schemas import BookingRequest

PORTAL = "https://portal.example.org"
# A proxy between students and the API that the operator trusts; all that follows is said through it.
PROXY = "127.0.0.1"
DESCRIBED = create_app(Settings(state_dir=Path("nowhere"))).openapi()["paths"].values()
METHODS = sorted({method.upper() for operations in DESCRIBED for method in operations})


@pytest.fixture(scope="module")
def limited(postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Yield an API with low limits, and a portal that may use it."""
    state = tmp_path_factory.mktemp("limited-state")
    (state / "settings.toml").write_text(
        f'request_rate = "12/minute"\nbooking_rate = "3/minute"\ncors_origins = ["{PORTAL}"]\n'
        'catalog_url = "https://catalog.example.org:443"\n'
        f'trusted_proxies = ["{PROXY}", "192.0.2.0/28"]\n'
    )
    environment = {"WOD_STATE": str(state), "WOD_DATABASE_URL": postgres.new_database()}
    with serve_process(api_command(), free_port(), environment, state / "api.log", "/api/health") as process:
        yield process


def statuses(
    process: Process, count: int, forwarded: str = "", method: str = "GET", path: str = "/x"
) -> Counter[int]:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with httpx.Client(base_url=process.url, headers=headers) as client:
        return Counter(client.request(method, f"/api/{path}").status_code for _ in range(count))


def test_who_asks_too_often_waits_and_nobody_else_does(limited: Process) -> None:
    found = statuses(limited, 20, "198.51.100.1", path="v1/brand")
    # A window that ended meanwhile lets one more in.
    assert 12 <= found[200] <= 13
    assert found[429] == 20 - found[200]
    assert statuses(limited, 5, "198.51.100.2", path="v1/brand") == {200: 5}


def test_a_refusal_says_when_to_try_again(limited: Process) -> None:
    statuses(limited, 14, "198.51.100.3")
    answer = httpx.get(f"{limited.url}/api/v1/workshops", headers={"X-Forwarded-For": "198.51.100.3"})
    assert (answer.status_code, answer.json()["reason"]) == (429, "too_many_requests")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "v1/bookings"),
        (1, "v1/workshops/WKSHP-A/waiting"),
        (2, "v1/workshops/WKSHP-B/waiting"),
        (3, "v1/waiting/x/booking"),
        (4, "customer"),
        (5, "email/send-feedback"),
    ],
)
def test_what_takes_a_seat_has_a_limit_of_its_own(limited: Process, number: int, path: str) -> None:
    address = f"198.51.100.{100 + number}"
    found = statuses(limited, 5, address, "POST", path)
    assert 1 <= found[429] <= 2, found
    assert statuses(limited, 1, address, "GET", "v1/brand") == {200: 1}


def test_attempts_at_different_doors_count_together(limited: Process) -> None:
    for path in ("v1/bookings", "v1/workshops/A/waiting", "v1/waiting/x/booking", "v1/bookings"):
        statuses(limited, 1, "198.51.100.150", "POST", path)
    assert statuses(limited, 1, "198.51.100.150", "POST", "v1/workshops/B/waiting") == {429: 1}


def test_one_network_of_ipv6_is_one_client(limited: Process) -> None:
    refused = sum(statuses(limited, 1, f"2001:db8:1:1::{number:x}")[429] for number in range(20))
    assert refused >= 7
    assert statuses(limited, 1, "2001:db8:1:2::1") == {404: 1}


def test_whom_a_stranger_claims_to_be_counts_for_nothing(limited: Process) -> None:
    """What the trusted proxy says is the last word: a stranger's own lies stand before it."""
    claims = [statuses(limited, 1, f"203.0.113.{number}, 198.51.100.4") for number in range(20)]
    assert sum(claims, Counter())[429] >= 7
    assert statuses(limited, 1, "203.0.113.1") == {404: 1}


def test_proxies_one_behind_the_other_are_all_believed(limited: Process) -> None:
    assert statuses(limited, 14, "198.51.100.5, 192.0.2.3")[429] >= 1
    assert statuses(limited, 1, "198.51.100.6, 192.0.2.3") == {404: 1}


def test_the_platforms_own_programs_are_not_limited(limited: Process) -> None:
    assert statuses(limited, 30, path="v1/brand") == {200: 30}


def test_a_stranger_who_comes_without_a_proxy_is_not_believed(
    postgres: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("strict-state")
    environment = {
        "WOD_STATE": str(state),
        "WOD_DATABASE_URL": postgres.new_database(),
        "WOD_TRUSTED_PROXIES": '["192.0.2.1"]',
        "WOD_REQUEST_RATE": "10/minute",
    }
    with serve_process(api_command(), free_port(), environment, state / "api.log", "/api/health") as process:
        answers = [statuses(process, 1, f"203.0.113.{number}") for number in range(20)]
        assert sum(answers, Counter())[429] >= 9
        assert statuses(process, 1, "192.0.2.1") == {429: 1}


def test_a_client_tells_for_whom_it_asks_what_changes_something(limited: Process) -> None:
    wish = BookingRequest(workshop="WKSHP-None", email="a@example.org", name="Ana", accept_terms=True)
    with ApiClient(limited.url) as shared:
        reasons = []
        for _ in range(5):
            with pytest.raises(ApiError) as refused:
                shared.on_behalf_of("198.51.100.7").book(wish)
            reasons.append(refused.value.reason)
        assert reasons[:3] == ["workshop_unknown"] * 3
        assert reasons[-1] == "too_many_requests"
        for visitor in ("198.51.100.8", "", "é\n"):
            with pytest.raises(ApiError) as refused:
                shared.on_behalf_of(visitor).book(wish)
            assert refused.value.reason == "workshop_unknown"
        for _ in range(15):
            shared.on_behalf_of("198.51.100.7").brand()


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (PORTAL, True),
        ("https://catalog.example.org", True),
        ("https://portal.example.org:8443", False),
        ("http://portal.example.org", False),
        ("https://evil.example.org", False),
        ("null", False),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_only_pages_of_the_list_may_use_the_api(
    limited: Process, origin: str, is_allowed: bool, method: str
) -> None:
    asks = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    preflight = httpx.options(f"{limited.url}/api/v1/bookings", headers={"Origin": origin, **asks})
    assert preflight.is_success is is_allowed
    answer = httpx.get(f"{limited.url}/api/v1/brand", headers={"Origin": origin})
    assert answer.status_code == 200
    for each in (preflight, answer):
        assert each.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
        assert "access-control-allow-credentials" not in each.headers


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (
            Rate,
            ["600/minute", "10/15 minutes", "1/second", "5/2hours"],
            ["", "0/minute", "many", "5/year/", "5 /minute"],
        ),
        (Network, ["192.0.2.1", "::1", "2001:db8::/32"], ["*", "localhost", "192.0.2.1/24"]),
        (
            Origin,
            ["https://a.example.org", "http://127.0.0.1:8800"],
            ["*", "a.example.org", "https://a.example.org/"],
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(kind: type, good: list[str], wrong: list[str]) -> None:
    for text in good:
        assert TypeAdapter(kind).validate_python(text) == text
        if kind is Rate:
            parse(text)
    for text in wrong:
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


def test_all_wrong_rates_and_addresses_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOD_STATE", str(tmp_path))
    (tmp_path / "settings.toml").write_text('request_rate = "often"\ntrusted_proxies = ["127.0.0.1", "*"]\n')
    with pytest.raises(Refused) as refused:
        load_settings()
    assert "'often' is not a rate" in refused.value.message
    assert "trusted_proxies.1" in refused.value.message


def test_the_rates_that_are_set_without_being_set_are_rates() -> None:
    settings = Settings()
    for name in ("request_rate", "booking_rate", "login_rate"):
        TypeAdapter(Rate).validate_python(getattr(settings, name))

"""Every operation that the API describes, asked good and bad things: it answers as it says, and never fails."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from partner_samples import add_key
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from ui_services import open_shop

from models.rules.booking import BookingEvent
from models.rules.roles import Role
from models.rules.signed_links import BadgeSort, sign_badge, sign_link
from models.settings import Settings
from models.store.pictures import Picture, save_pictures
from models.tables import utc_now
from tasks.users import add_user, log_in
from ui.api.client import ApiClient
from ui.api.main import create_app
from ui.api.own_schemas import WaitingRequest
from ui.api.partner_client import PartnerClient
from ui.api.partner_schemas import PartnerBookingRequest, WebhookRequest
from ui.api.schemas import BookingRequest

pytestmark = [pytest.mark.integration]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
PASSWORD = "correct horse battery"
OPEN, FULL = "WKSHP-Test101", "WKSHP-Full"
PICTURE = "0123456789abcdef01234567.png"


class Known:
    """What there is to ask for: one of everything, by operation; and what came of asking."""

    def __init__(self):
        self.headers = {}
        self.parts = {}
        self.bodies = {}
        self.granted = set()
        self._random = random.Random(1)  # noqa: S311
        self._numbers = itertools.count(100)

    def prepare(self, case):
        """Give a case the keys that open its operation, and every other one something that there is."""
        label, path = case.operation.label, case.operation.path
        case.headers = {**(case.headers or {}), **self.headers}
        if self._random.random() < 0.5:
            return
        case.path_parameters = {**case.path_parameters, **(self.parts.get(label) or self.parts.get(path, {}))}
        if label in self.bodies and label not in self.granted:
            case.body, case.media_type = self.bodies[label](next(self._numbers)), "application/json"

    def note(self, case, response):
        """Note that an operation was granted."""
        if response.status_code < 400:
            self.granted.add(case.operation.label)


def wish(number, **values):
    return {"email": f"s{number}@example.org", "name": "Ana", "company": "", "accept_terms": True} | values


async def stock(settings, url):
    """Fill the database with one of everything."""
    found, now = Known(), utc_now()
    async with open_shop(settings) as shop:
        await shop.offer(OPEN, capacity=30, seat_last=30)
        await shop.offer(FULL, capacity=1, seat_first=31, seat_last=40)
        for name, role in (("ben", Role.USER), ("root", Role.ADMIN)):
            account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "roles": [role]}
            await add_user(shop.database, **account)
        # Out of the way of those who change and remove users by number.
        await shop.rows("UPDATE user_account SET id = 987654 WHERE username = 'root'")
        _, token = await log_in(shop.database, settings, "root", PASSWORD)
        _, key = await add_key(shop.database, request_rate="100000/minute", bookings_at_once=1000)
        found.headers = {"Authorization": f"Bearer {key}", "x-access-token": token}
        with PartnerClient(url, key) as partner:
            hook = WebhookRequest(url="https://portal.example.org/", events=["booking.reserved"])
            hooks = [partner.add_webhook(hook).reference for _ in range(2)]
            theirs = [
                partner.book_for_user(
                    PartnerBookingRequest(**wish(each, workshop=OPEN)), idempotency_key=str(each)
                )
                for each in range(2)
            ]
            delivery = partner.deliveries(hooks[0]).deliveries[0].reference
        with ApiClient(url) as client:
            lasting, ended, left, forgotten, _ = (
                client.book(BookingRequest(**wish(number, workshop=workshop))).reference
                for number, workshop in enumerate([OPEN, OPEN, OPEN, OPEN, FULL], 10)
            )
            line = [client.wait(FULL, WaitingRequest(**wish(number))).reference for number in (20, 21)]
        await shop.serve(lasting)
        await shop.serve(ended)
        await shop.move(ended, BookingEvent.LEAVE)
        await shop.move(ended, BookingEvent.RELEASE, cells_executed=3, cells_total=3, finished_at=now)
        async with shop.database.transaction() as session:
            await save_pictures(session, OPEN, {PICTURE: Picture("image/png", b"\x89PNG")})
        ((ended_id,),) = await shop.rows("SELECT id FROM booking WHERE reference = :ended", ended=ended)
    link_key = settings.secret("link_key")
    own = {name: {"link": sign_link(link_key, name, now)} for name in (lasting, left, forgotten)}
    v1, hook_path = "/api/v1", "/api/v1/partner/webhooks/{reference}"
    found.parts = {
        f"{v1}/workshops/{{key}}": {"key": OPEN},
        f"{v1}/workshops/{{key}}/pictures/{{name}}": {"key": OPEN, "name": PICTURE},
        f"{v1}/workshops/{{key}}/waiting": {"key": FULL},
        f"{v1}/bookings/{{reference}}": {"reference": lasting},
        f"DELETE {v1}/bookings/{{reference}}": {"reference": left},
        f"{v1}/waiting/{{reference}}": {"reference": line[0]},
        f"DELETE {v1}/waiting/{{reference}}": {"reference": line[1]},
        f"{v1}/waiting/{{reference}}/booking": {"reference": line[0]},
        f"{v1}/me/{{link}}": own[lasting],
        f"{v1}/me/{{link}}/extension": own[lasting],
        f"{v1}/me/{{link}}/booking": own[left],
        f"DELETE {v1}/me/{{link}}": own[forgotten],
        f"{v1}/badges/{{code}}": {"code": sign_badge(link_key, BadgeSort.WORKSHOP, ended_id, ended)},
        f"{v1}/partner/bookings/{{reference}}": {"reference": theirs[0].reference},
        f"DELETE {v1}/partner/bookings/{{reference}}": {"reference": theirs[1].reference},
        hook_path: {"reference": hooks[0]},
        f"DELETE {hook_path}": {"reference": hooks[1]},
        f"{hook_path}/deliveries": {"reference": hooks[0]},
        f"{hook_path}/deliveries/{{delivery}}/retry": {"reference": hooks[0], "delivery": delivery},
    } | {
        f"/api/{path}/{{id}}": {"id": 1}
        for path in (
            "users",
            "user",
            "customers",
            "customer",
            "customer/unregister",
            "students",
            "location",
            "workshops",
        )
    }
    found.bodies = {
        f"POST {v1}/bookings": lambda number: wish(number, workshop=OPEN),
        f"POST {v1}/workshops/{{key}}/waiting": wish,
        f"POST {v1}/partner/bookings": lambda number: wish(number, workshop=OPEN),
        f"POST {v1}/partner/webhooks": lambda _: hook.model_dump(),
        f"PATCH {hook_path}": lambda number: {"is_enabled": bool(number % 2)},
        "POST /api/customer": lambda number: wish(number, notebook=OPEN),
        "POST /api/login": lambda _: {"username": "root", "password": PASSWORD},
    }
    return found


@pytest.fixture(scope="module")
def known(settings, api):
    return asyncio.run(stock(settings, api.url))


schema = schemathesis.openapi.from_dict(create_app(Settings(state_dir=Path("nowhere"))).openapi())

# No engine runs here: nothing is offered, kept or drawn.
NEEDS_AN_ENGINE = {"GET /api/v1/bookings/{reference}/work", "POST /api/v1/waiting/{reference}/booking"}


@schema.parametrize()
@hypothesis.settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_operation_answers_as_it_is_described(case, known, api):
    known.prepare(case)
    known.note(case, case.call_and_validate(base_url=api.url, checks=CHECKS))


GUARDED = [
    (method, path)
    for path, operations in schema.raw_schema["paths"].items()
    for method, operation in operations.items()
    if operation.get("security") and {} not in operation["security"]
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer x", "x-access-token": "x"}])
async def test_what_needs_a_key_or_a_log_in_is_refused_without(web, method, path, sent):
    for name in ("id", "reference", "delivery"):
        path = path.replace(f"{{{name}}}", "1")
    body = {"email": "nobody@example.org", "name": "Nobody", "notebook": OPEN}
    answer = await web.request(method, path, headers=sent, json=body if method != "get" else None)
    assert answer.status_code in (401, 403)


def test_operations_were_granted_and_not_only_refused(known):
    """Hold that what was asked before got further than to a refusal."""
    described = {
        result.ok().label
        for result in schema.get_all_operations()
        if any(str(status) < "4" for status in result.ok().definition.raw["responses"])
    }
    assert described - known.granted <= NEEDS_AN_ENGINE

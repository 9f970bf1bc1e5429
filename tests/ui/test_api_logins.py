"""Who is let in at a running API, how often one may fail, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ui_services import Process, api_command, api_environment, free_port, serve_process

from tasks.users import add_user

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
WRONG = {"accessToken": None, "message": "Invalid Password!"}
NEW_USER = {"username": "new", "email": "new@example.org", "password": PASSWORD}

# What a log-in is asked for: method, path, body, and the least roles that may.
STAFF, ADMIN, ANYBODY = {"moderator", "admin"}, {"admin"}, {"user", "moderator", "admin"}
GUARDED = [
    ("GET", "/api/customers", None, STAFF),
    ("GET", "/api/customers/1", None, STAFF),
    ("PUT", "/api/customer/1", {}, STAFF),
    ("PUT", "/api/customer/unregister/1", None, STAFF),
    ("GET", "/api/students", None, STAFF),
    ("GET", "/api/students/1", None, STAFF),
    ("GET", "/api/workshopsBeta", None, ANYBODY),
    ("GET", "/api/users", None, ADMIN),
    ("GET", "/api/users/1", None, ADMIN),
    ("POST", "/api/user", NEW_USER, ADMIN),
    ("PUT", "/api/user/9", {}, ADMIN),
    ("DELETE", "/api/user/9", None, ADMIN),
]
OPEN = {
    ("post", "/api/login"), ("post", "/api/customer"), ("get", "/api/workshops"), ("get", "/api/workshops/{id}"),
    ("get", "/api/workshops/categories"), ("get", "/api/special-badges"), ("get", "/api/locations"),
    ("get", "/api/location/{id}"), ("post", "/api/email/send-feedback"), ("post", "/api/emails"),
    ("get", "/api/email/random/{list_id}"),
}  # fmt: skip


@pytest.fixture(scope="session")
def strict_api(api: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Yield an API on the same database, where three log-ins may fail within a minute."""
    environment = {name: value for name, value in api_environment(api).items() if name.startswith("WOD_")}
    strict = {"WOD_LOGIN_RATE": "3/minute"}
    log = tmp_path_factory.mktemp("strict") / "api.log"
    with serve_process(api_command(), free_port(), environment | strict, log, "/api/health") as process:
        yield process


@pytest.fixture
async def strict(strict_api: Process):
    async with httpx.AsyncClient(base_url=strict_api.url, timeout=30) as opened:
        yield opened


async def add(shop, name, role="user"):
    return await add_user(
        shop.database, username=name, email=f"{name}@example.org", password=PASSWORD, roles=[role]
    )


async def enter(web, username, password=PASSWORD, address=None):
    forwarded = {"X-Forwarded-For": address} if address else {}
    return await web.post("/api/login", json={"username": username, "password": password}, headers=forwarded)


async def token_of(web, username):
    return {"x-access-token": (await enter(web, username)).json()["accessToken"]}


async def test_a_login_tells_who_one_is(shop, web):
    user = await add(shop, "ana", "admin")
    answer = await enter(web, " Ana ")
    assert answer.status_code == 200
    token = answer.json().pop("accessToken")
    assert len(token) >= 40
    assert answer.json() == {
        "id": user.id,
        "username": "ana",
        "email": "ana@example.org",
        "roles": ["ROLE_ADMIN"],
        "accessToken": token,
    }


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(shop, web):
    await add(shop, "ana")
    for username, password in (("ana", "wrong"), ("nobody", PASSWORD), ("a\x00", "b"), ("", "")):
        answer = await enter(web, username, password, address="203.0.113.1")
        assert (answer.status_code, answer.json()) == (401, WRONG)


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 403, "No token provided!"),
        ({"x-access-token": ""}, 403, "No token provided!"),
        ({"x-access-token": "x"}, 401, "Unauthorized!"),
        ({"x-access-token": "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.x"}, 401, "Unauthorized!"),
        ({"x-access-token": b"\xff\xfe"}, 401, "Unauthorized!"),
        ({"authorization": "Bearer x"}, 403, "No token provided!"),
    ],
)
async def test_without_a_valid_token_nobody_passes(shop, web, headers, status, message):
    for method, path, body, _ in GUARDED:
        answer = await web.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()) == (status, {"message": message}), path
    assert await shop.rows("SELECT * FROM user_account") == []


async def test_each_role_may_do_what_it_is_for_and_no_more(shop, web):
    for role in sorted(ANYBODY):
        await add(shop, role, role)
    tokens = {role: await token_of(web, role) for role in sorted(ANYBODY)}
    for method, path, body, may in GUARDED:
        lack = "Require Admin Role!" if may == ADMIN else "Require Moderator or Admin Role!"
        for role in sorted(ANYBODY):
            answer = await web.request(method, path, json=body, headers=tokens[role])
            if role in may:
                assert answer.status_code in (200, 400), (role, path)
            else:
                assert (answer.status_code, answer.json()) == (403, {"message": lack}), (role, path)


async def test_every_operation_is_guarded_or_meant_to_be_open(web):
    schema = (await web.get("/api/openapi.json")).json()
    guarded = {(method.lower(), path.replace("1", "{id}").replace("9", "{id}")) for method, path, _, _ in GUARDED}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if "existing system" not in operation["tags"] or operation.get("deprecated"):
                continue
            assert ((method, path) in guarded) != ((method, path) in OPEN), (method, path)
            assert bool({"401", "403"} <= set(operation["responses"])) == ((method, path) in guarded) or (
                path == "/api/login"
            ), path


async def test_an_admin_manages_users(shop, web):
    await add(shop, "root", "admin")
    admin = await token_of(web, "root")
    added = await web.post("/api/user", json=NEW_USER | {"roles": ["moderator"]}, headers=admin)
    assert (added.status_code, added.json()) == (200, {"message": "User was registered successfully!"})
    for change, message in (
        ({}, "Failed! Username is already in use!"),
        ({"username": "newer"}, "Failed! Email is already in use!"),
        ({"roles": ["king"]}, "Failed! Role does not exist = king"),
    ):
        again = await web.post("/api/user", json=NEW_USER | change, headers=admin)
        assert (again.status_code, again.json()["message"]) == (400, message)
    weak = await web.post("/api/user", json={"username": "w", "email": "w", "password": "secret"}, headers=admin)
    assert weak.status_code == 400
    assert "secret" not in weak.text
    (row,) = [each for each in (await web.get("/api/users", headers=admin)).json() if each["username"] == "new"]
    moderator = await token_of(web, "new")
    assert (await web.get("/api/customers", headers=moderator)).status_code == 200
    changed = await web.put(f"/api/user/{row['id']}", json={"roles": ["user"]}, headers=admin)
    assert changed.json()["roles"] == ["user"]
    assert (await web.get("/api/customers", headers=moderator)).status_code == 401
    assert (await web.delete(f"/api/user/{row['id']}", headers=admin)).json() == {}
    assert (await web.get(f"/api/users/{row['id']}", headers=admin)).text == "User Not Found"
    assert (await web.delete(f"/api/user/{row['id']}", headers=admin)).text == "User Not Found"
    assert (await enter(web, "new")).json() == WRONG


async def test_nobody_makes_an_admin_of_himself(shop, web):
    await add(shop, "mod", "moderator")
    wish = NEW_USER | {"roles": ["admin"]}
    for headers in ({}, await token_of(web, "mod")):
        assert (await web.post("/api/user", json=wish, headers=headers)).status_code == 403
        assert (await web.put("/api/user/1", json={"roles": ["admin"]}, headers=headers)).status_code == 403
    assert await shop.rows("SELECT username, roles FROM user_account") == [("mod", ["moderator"])]


async def test_a_login_ends_by_itself(shop, web):
    await add(shop, "ana", "admin")
    token = await token_of(web, "ana")
    assert (await web.get("/api/users", headers=token)).status_code == 200
    await shop.rows("UPDATE login_session SET expires_at = now()")
    late = await web.get("/api/users", headers=token)
    assert (late.status_code, late.json()) == (401, {"message": "Unauthorized!"})


async def test_whoever_fails_too_often_has_to_wait_and_nobody_else(shop, strict):
    await add(shop, "ana")
    await add(shop, "ben")
    guesser, other = "198.51.100.1", "198.51.100.2"
    at_once = await asyncio.gather(*(enter(strict, "ana", f"guess {n}", guesser) for n in range(8)))
    assert sorted(answer.status_code for answer in at_once) == [401] * 3 + [429] * 5
    refused = await enter(strict, "ana", PASSWORD, guesser)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 61
    assert "wait" in refused.json()["message"]
    assert (await enter(strict, "nobody", "x", guesser)).status_code == 429
    for username in ("ana", "ben"):
        assert (await enter(strict, username, PASSWORD, other)).status_code == 200


async def test_whoever_guesses_from_many_addresses_has_to_wait_too(shop, strict):
    await add(shop, "carl")
    guesses = [await enter(strict, "carl", "guess", f"192.0.2.{n}") for n in range(31)]
    assert [answer.status_code for answer in guesses] == [401] * 30 + [429]
    unknown = [await enter(strict, "nobody", "guess", f"203.0.113.{n}") for n in range(31)]
    assert [answer.status_code for answer in unknown] == [401] * 30 + [429]


async def test_logins_that_succeed_are_not_counted(shop, strict):
    await add(shop, "dora")
    for _ in range(5):
        assert (await enter(strict, "dora", address="198.51.100.9")).status_code == 200


async def test_the_log_holds_neither_passwords_nor_tokens(shop, web, api):
    await add(shop, "ana", "admin")
    token = (await token_of(web, "ana"))["x-access-token"]
    await web.get("/api/users", headers={"x-access-token": token})
    await enter(web, "ana", "a very secret guess", "203.0.113.9")
    await web.post("/api/user", json={"username": 1, "password": "another secret"})
    log = Path(api.log).read_text()
    for secret in (PASSWORD, token, "a very secret guess", "another secret"):
        assert secret not in log

"""wod key: what it prints once, and what it never shows again."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def wod_key(wod):
    """Return a function that runs `wod key` and returns what it says."""

    def run(*arguments, status=0):
        done = wod("key", *arguments)
        assert done.returncode == status, done.stderr
        return done.stderr if status else done.stdout

    return run


async def test_a_key_is_printed_once_and_works_until_it_is_revoked(wod_key, web):
    scopes = ("--scope", "bookings:read", "--scope", "bookings:write")
    key = wod_key("add", "Acme", *scopes, "--rate", "5/hour", "--bookings", "3").strip()
    headers = {"Authorization": f"Bearer {key}"}
    answer = await web.get("/api/v1/partner/bookings", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["ratelimit-policy"] == '"key";q=5;w=3600'
    (shown,) = json.loads(wod_key("list", "--json"))
    assert (shown["name"], shown["scopes"]) == ("Acme", ["bookings:read", "bookings:write"])
    assert (shown["request_rate"], shown["bookings_at_once"], shown["revoked_at"]) == ("5/hour", 3, None)
    assert shown["last_used_at"] is not None
    table = wod_key("list")
    assert "Acme" in table
    assert key not in table + str(shown)
    wod_key("revoke", "Acme")
    assert (await web.get("/api/v1/partner/bookings", headers=headers)).status_code == 401
    wod_key("revoke", "Acme")
    assert "there is, or was, a key" in wod_key("add", "Acme", *scopes, status=1).lower()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("add", "Acme", "--scope", "everything"), 2, "bookings:write"),
        (("add", "Acme"), 2, "--scope"),
        (("add", "Acme", "--scope", "bookings:read", "--rate", "often"), 1, "60/minute"),
        (("add", "Acme", "--scope", "bookings:read", "--rate", "0/minute"), 1, "60/minute"),
        (("add", "a/b", "--scope", "bookings:read"), 1, "can't name a key"),
        (("revoke", "Nobody"), 1, "wod key list"),
    ],
)
async def test_what_is_wrong_is_said(wod_key, arguments, status, said):
    assert said in wod_key(*arguments, status=status)


async def test_a_list_of_nothing_says_how_it_begins(wod_key):
    assert "wod key add" in wod_key("list")

"""Users on a real database: added, changed, let in, and kept out."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta

import pytest
from sqlalchemy import text
from store_samples import until_somebody_waits

import tasks.users
from models.errors import Refused
from models.settings import Settings
from models.store import users as store
from models.store.users import remove_user, users
from tasks.users import add_user, change_user, log_in, user_of_token

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
OTHER = "another long password"


async def add(database, username="ana", **values):
    given = {"email": f"{username.lower()}@example.org", "password": PASSWORD, "roles": ["admin"]}
    return await add_user(database, username=username, **(given | values))


async def enter(database, username="ana", password=PASSWORD, settings=None):
    return await log_in(database, settings or Settings(), username, password)


async def rows(database, sql):
    async with database.transaction() as session:
        return [tuple(row) for row in await session.execute(text(sql))]


async def test_a_user_logs_in_and_the_token_names_the_user(database):
    await add(database, "Ana", email="Ana@Example.org")
    user, token = await enter(database, " ANA ")
    assert (user.username, user.email, user.roles) == ("ana", "ana@example.org", ["admin"])
    assert (await user_of_token(database, token)).username == "ana"


async def test_the_database_holds_neither_passwords_nor_tokens(database):
    await add(database)
    _, token = await enter(database)
    [(password_hash,)] = await rows(database, "SELECT password_hash FROM user_account")
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$", password_hash)
    [(digest,)] = await rows(database, "SELECT token_digest FROM login_session")
    everything = await rows(database, "SELECT * FROM user_account, login_session")
    assert len(digest) == 64
    assert PASSWORD not in str(everything)
    assert token not in str(everything)


@pytest.mark.parametrize(
    ("username", "password"),
    [("ana", OTHER), ("ana", ""), ("ben", PASSWORD), ("", PASSWORD), ("ana\x00", PASSWORD), ("ana", "\ud800")],
)
async def test_whoever_is_unknown_or_wrong_is_not_let_in(database, username, password):
    await add(database)
    assert await enter(database, username, password) is None
    assert await rows(database, "SELECT * FROM login_session") == []


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(database):
    await add(database)
    await enter(database, "nobody")

    async def least(username):
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            await enter(database, username, OTHER)
            taken.append(time.perf_counter() - begun)
        return min(taken)

    known, unknown = await least("ana"), await least("nobody")
    # A hash takes some 50 ms, everything else a few; without it the unknown name would be ten times as fast.
    assert 0.3 < unknown / known < 3


async def test_letters_may_be_composed_either_way(database):
    await add(database, password="Jose\u0301 is a long name")
    assert await enter(database, password="José is a long name")


async def test_a_login_expires_and_is_forgotten_with_the_next(database):
    await add(database)
    _, token = await enter(database, settings=Settings(login_minutes=10))
    [(lasts,)] = await rows(database, "SELECT expires_at - created_at FROM login_session")
    assert lasts == timedelta(minutes=10)
    assert await user_of_token(database, token)
    await rows(database, "UPDATE login_session SET expires_at = now() RETURNING id")
    assert await user_of_token(database, token) is None
    await enter(database)
    assert await rows(database, "SELECT count(*) FROM login_session") == [(1,)]


async def test_another_password_or_role_ends_the_logins(database):
    ana = await add(database)
    for change in ({"password": OTHER}, {"roles": ["user"]}):
        _, token = await enter(database)
        await change_user(database, ana.id, email="new@example.org")
        assert await user_of_token(database, token)
        await change_user(database, ana.id, **change)
        assert await user_of_token(database, token) is None
        await change_user(database, ana.id, password=PASSWORD)
    assert (await users_of(database))[0].roles == ["user"]


@pytest.mark.parametrize(
    "meanwhile",
    [{"roles": ["user"]}, {"email": "new@example.org"}, {"username": "anna"}],
    ids=lambda each: next(iter(each)),
)
async def test_a_new_password_leaves_what_changes_while_it_is_hashed(database, monkeypatch, meanwhile):
    ana = await add(database)
    hashing = tasks.users._hashing

    async def hash_slowly(work):
        monkeypatch.undo()
        await change_user(database, ana.id, **meanwhile)
        return await hashing(work)

    monkeypatch.setattr("tasks.users._hashing", hash_slowly)
    changed = await change_user(database, ana.id, password=OTHER)
    kept = {"username": "ana", "email": "ana@example.org", "roles": ["admin"]} | meanwhile
    assert {name: getattr(changed, name) for name in kept} == kept
    [user] = await users_of(database)
    assert {name: getattr(user, name) for name in kept} == kept
    assert await enter(database, user.username, OTHER)


async def test_a_login_that_meets_the_change_of_its_password_ends_with_it(database, monkeypatch):
    ana = await add(database)
    opening, is_read, may_go_on = store.open_login, asyncio.Event(), asyncio.Event()

    async def open_slowly(*given):
        is_read.set()
        await may_go_on.wait()
        await opening(*given)

    monkeypatch.setattr(store, "open_login", open_slowly)
    login = asyncio.create_task(enter(database))
    await is_read.wait()
    change = asyncio.create_task(change_user(database, ana.id, password=OTHER))
    await asyncio.wait(
        {change, asyncio.create_task(until_somebody_waits(database))}, return_when="FIRST_COMPLETED"
    )
    may_go_on.set()
    _, token = await login
    await change
    assert await user_of_token(database, token) is None


async def test_a_user_that_is_removed_is_out(database):
    ana = await add(database)
    _, token = await enter(database)
    async with database.transaction() as session:
        await remove_user(session, ana.id)
    assert await user_of_token(database, token) is None
    assert await enter(database) is None
    with pytest.raises(Refused) as refused:
        await change_user(database, ana.id, password=OTHER)
    assert refused.value.reason == "user_unknown"


async def test_all_that_is_wrong_is_told_and_nothing_kept(database):
    with pytest.raises(Refused) as refused:
        await add(database, "a b", email="nowhere", password="short", roles=["king"])
    assert refused.value.reason == "user_wrong"
    for part in ("user name", "e-mail address", "password", "king"):
        assert part in refused.value.message
    assert "short" not in refused.value.message
    assert await users_of(database) == []


@pytest.mark.parametrize(
    ("username", "email", "reason"),
    [("ANA", "other@example.org", "username_taken"), ("ben", "ANA@example.org", "email_taken")],
)
async def test_names_and_addresses_are_had_once(database, username, email, reason):
    await add(database)
    with pytest.raises(Refused) as refused:
        await add(database, username, email=email)
    assert refused.value.reason == reason
    ben = await add(database, "carl")
    with pytest.raises(Refused) as refused:
        await change_user(database, ben.id, username=username if username == "ANA" else None, email=email)
    assert refused.value.reason == reason


async def test_of_twins_that_are_added_at_once_one_is_refused(database):
    answers = await asyncio.gather(*(add(database) for _ in range(5)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Refused)]
    assert [each.reason for each in refused] == ["username_taken"] * 4
    assert len(await users_of(database)) == 1


async def users_of(database):
    async with database.transaction() as session:
        return list(await users(session))

"""Users of the API: adding and changing them, and letting them in."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.door_tables import UserAccount
from models.errors import Refused
from models.rules.addresses import check_address
from models.rules.roles import Role, check_password, check_roles, check_username
from models.settings import Settings
from models.store import users as store
from models.store.database import Database
from models.tables import utc_now

T = TypeVar("T")

# Argon2id with the library's parameters: those of RFC 9106, section 4, for little memory, which is 64 MB.
_HASHER = PasswordHasher()
# One after the other, so that many log-ins at once take the memory of one.
_HASHING = ThreadPoolExecutor(1, thread_name_prefix="argon2")

_TOKEN_BYTES = 32


async def add_user(
    database: Database, *, username: str, email: str, password: str, roles: Collection[str]
) -> UserAccount:
    """Add a user; capitals make no difference in names and addresses.

    Raises:
        Refused: user_wrong, telling all that is wrong, or username_taken, email_taken. Nothing has changed then.

    """
    name, address, kept_roles = _checked(username=username, email=email, password=password, roles=roles)
    password_hash = await _hashing(lambda: _HASHER.hash(_octets(password)))
    async with database.transaction() as session:
        await store.refuse_taken(session, name, address)
        user = UserAccount(username=name, email=address, password_hash=password_hash, roles=kept_roles)
        session.add(user)
    return user


async def change_user(
    database: Database,
    user_id: int,
    *,
    username: str | None = None,
    email: str | None = None,
    password: str | None = None,
    roles: Collection[str] | None = None,
) -> UserAccount:
    """Change what is given of a user, whose log-ins end if it is the password or the roles.

    Raises:
        Refused: user_unknown, or as add_user does.

    """
    async with database.transaction() as session:
        before = await store.user_by_id(session, user_id)
    name, address, kept_roles = _checked(
        username=before.username if username is None else username,
        email=before.email if email is None else email,
        password=password,
        roles=before.roles if roles is None else roles,
    )
    password_hash = None if password is None else await _hashing(lambda: _HASHER.hash(_octets(password)))
    async with database.transaction() as session:
        new_name = None if username is None else name
        new_address = None if email is None else address
        await store.refuse_taken(session, new_name, new_address, user_id)
        user = await store.user_by_id(session, user_id)
        # What is not given stays as it is now: others may have changed it since it was read.
        new_roles = user.roles if roles is None else kept_roles
        if password_hash or user.roles != new_roles:
            await store.end_logins(session, user)
        user.username, user.email, user.roles = new_name or user.username, new_address or user.email, new_roles
        user.password_hash = password_hash or user.password_hash
        user.updated_at = utc_now()
    return user


async def log_in(
    database: Database, settings: Settings, username: str, password: str
) -> tuple[UserAccount, str] | None:
    """Return the user and a new token that is valid for `login_minutes`; None: the name or password is wrong.

    It takes as long whether there is such a user or not.
    """
    found = await _user_named(database, username)
    known_hash = found.password_hash if found else None
    is_right = await _hashing(lambda: _is_right(known_hash or _hash_of_nobody(), password))
    if found is None or not is_right:
        return None
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), utc_now()
    until = now + timedelta(minutes=settings.login_minutes)
    async with database.transaction() as session:
        user = await store.user_by_name(session, found.username, is_locked=True)
        if user is None or user.password_hash != known_hash:  # changed or removed while we looked
            return None
        await store.open_login(session, user, _digest(token), now, until)
    return user, token


async def user_of_token(database: Database, token: str) -> UserAccount | None:
    """Return the user who logged in with this token, with the roles of this moment; None: it is not valid."""
    async with database.transaction() as session:
        return await store.user_of_login(session, _digest(token), utc_now())


def _checked(
    *, username: str, email: str, password: str | None, roles: Collection[str]
) -> tuple[str, str, list[str]]:
    """Return a user's name, address and roles as they are kept, or refuse with all that is wrong."""
    wrong: list[str] = []

    def checked(check: Callable[[], T], otherwise: T) -> T:
        try:
            return check()
        except Refused as error:
            wrong.append(error.message)
            return otherwise

    name = checked(lambda: check_username(username), "")
    address = checked(lambda: check_address(email, ()).key, "")
    kept_roles = checked(lambda: check_roles(roles), list[Role]())
    if password is not None:
        checked(lambda: check_password(password, username), None)
    if wrong:
        raise Refused(" ".join(wrong), reason="user_wrong")
    return name, address, [role.value for role in kept_roles]


async def _user_named(database: Database, username: str) -> UserAccount | None:
    try:
        name = check_username(username)
    except Refused:  # nobody is called that, and PostgreSQL can't compare every text
        return None
    async with database.transaction() as session:
        return await store.user_by_name(session, name)


async def _hashing(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_HASHING, work)


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, _octets(password))
    except (VerificationError, InvalidHashError):
        return False


def _octets(password: str) -> bytes:
    """Return a password as it is hashed: the same however the keyboard composes its letters."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")


@cache
def _hash_of_nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe(_TOKEN_BYTES))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

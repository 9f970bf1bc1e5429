"""Users and their log-ins in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import LoginSession, UserAccount
from models.errors import Refused
from models.store.bookings import known_id


async def users(session: AsyncSession) -> Sequence[UserAccount]:
    """Return all users, by id."""
    return list(await session.scalars(select(UserAccount).order_by(col(UserAccount.id))))


async def user_by_id(session: AsyncSession, user_id: int) -> UserAccount:
    """Return a user, locked until the end of the transaction, or refuse: user_unknown."""
    user = await session.get(UserAccount, user_id, with_for_update=True)
    if user is None:
        raise unknown_user()
    return user


async def user_by_name(session: AsyncSession, username: str, *, is_locked: bool = False) -> UserAccount | None:
    """Return the user that logs in with this name; with `is_locked`, changes wait until the transaction ends."""
    statement = select(UserAccount).where(col(UserAccount.username) == username)
    if is_locked:
        statement = statement.with_for_update(read=True, key_share=True)
    found: UserAccount | None = await session.scalar(statement)
    return found


async def refuse_taken(
    session: AsyncSession, username: str | None, email: str | None, except_id: int | None = None
) -> None:
    """Refuse a name or an address that another user has, where one is given: username_taken or email_taken.

    Others that add or change a user wait until this transaction ends, so that both are still free then.
    """
    await session.execute(text("LOCK TABLE user_account IN SHARE ROW EXCLUSIVE MODE"))
    rows = await session.scalars(
        select(UserAccount).where(
            or_(col(UserAccount.username) == username, col(UserAccount.email) == email),
            col(UserAccount.id).is_distinct_from(except_id),
        )
    )
    others = list(rows)
    if any(each.username == username for each in others):
        raise Refused(f"There is a user {username} already. Choose another name.", reason="username_taken")
    if others:
        raise Refused(f"Another user has the address {email} already.", reason="email_taken")


async def remove_user(session: AsyncSession, user_id: int) -> None:
    """Remove a user, whose log-ins end with that, or refuse: user_unknown."""
    removed = await session.scalar(
        delete(UserAccount).where(col(UserAccount.id) == user_id).returning(col(UserAccount.id))
    )
    if removed is None:
        raise unknown_user()


async def open_login(
    session: AsyncSession, user: UserAccount, token_digest: str, now: datetime, until: datetime
) -> None:
    """Note a log-in, and forget all that have expired."""
    await session.execute(delete(LoginSession).where(col(LoginSession.expires_at) <= now))
    session.add(
        LoginSession(user_id=known_id(user.id), token_digest=token_digest, created_at=now, expires_at=until)
    )


async def end_logins(session: AsyncSession, user: UserAccount) -> None:
    """End all log-ins of a user."""
    await session.execute(delete(LoginSession).where(col(LoginSession.user_id) == user.id))


async def user_of_login(session: AsyncSession, token_digest: str, now: datetime) -> UserAccount | None:
    """Return the user who holds this token, if it is valid at `now`."""
    found: UserAccount | None = await session.scalar(
        select(UserAccount)
        .join(LoginSession, col(LoginSession.user_id) == col(UserAccount.id))
        .where(col(LoginSession.token_digest) == token_digest, col(LoginSession.expires_at) > now)
    )
    return found


def unknown_user() -> Refused:
    """Return the refusal for a user that isn't there."""
    return Refused("There is no such user.", reason="user_unknown")

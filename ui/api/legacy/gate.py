"""Who may pass: users who have logged in, by their roles."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader

from models.door_tables import UserAccount
from models.rules.roles import Right, may
from tasks.users import user_of_token
from ui.api.legacy.answers import BAD_TOKEN, NO_TOKEN, lack_of, told
from ui.api.parts import DatabaseHere

_token = APIKeyHeader(
    name="x-access-token",
    scheme_name="log-in",
    description="The `accessToken` that POST /api/login has answered.",
    auto_error=False,
)


async def _visitor(token: Annotated[str | None, Security(_token)], database: DatabaseHere) -> UserAccount | None:
    return await user_of_token(database, token) if token else None


# Whoever asks, if it is a user who has logged in.
Visitor = Annotated[UserAccount | None, Depends(_visitor)]


def needs(right: Right) -> Any:
    """Return a dependency that lets those pass who have a right, and tells the others what they lack."""

    async def gate(token: Annotated[str | None, Security(_token)], visitor: Visitor) -> None:
        if not token:
            raise told(HTTPStatus.FORBIDDEN, message=NO_TOKEN)
        if visitor is None:
            raise told(HTTPStatus.UNAUTHORIZED, message=BAD_TOKEN)
        if not may(visitor.roles, right):
            raise told(HTTPStatus.FORBIDDEN, message=lack_of(right))

    return Depends(gate)

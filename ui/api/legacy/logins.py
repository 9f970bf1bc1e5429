"""Routes: log in, and the users who can."""

from __future__ import annotations

import math
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse

from models.errors import Refused
from models.rules.roles import Right, Role
from models.store.bookings import known_id
from models.store.users import remove_user, user_by_id, users
from tasks.users import add_user, change_user, log_in
from ui.api.legacy.answers import Answered, Number, answers, compatible_router, failed, said, told
from ui.api.legacy.attempts import Attempts, TooManyAttempts
from ui.api.legacy.gate import needs
from ui.api.legacy.rows import user_row
from ui.api.legacy.schemas import LoginAnswer, LoginRequest, Message, UserChange, UserRequest, UserRow
from ui.api.parts import DatabaseHere, SettingsHere

_WRONG = "Invalid Password!"
_TOO_MANY = "Too many log-ins have failed. Please wait before you try again."
_TAKEN = {
    "username_taken": "Failed! Username is already in use!",
    "email_taken": "Failed! Email is already in use!",
}
_UNKNOWN = "User Not Found"
_admins = [needs(Right.MANAGE_USERS)]
_refusals = {HTTPStatus.BAD_REQUEST: tuple(_TAKEN.values())}

router = compatible_router()


@router.post(
    "/login",
    responses=answers(
        body=True,
        messages={HTTPStatus.UNAUTHORIZED: (_WRONG,), HTTPStatus.TOO_MANY_REQUESTS: (_TOO_MANY,)},
    ),
)
async def log_in_user(
    request: Request, wish: LoginRequest, settings: SettingsHere, database: DatabaseHere
) -> LoginAnswer:
    """Let a user in, with a token for the header `x-access-token` that is valid for some minutes.

    Whether the name or the password is wrong is not told, and after some failures nothing is, for a while.
    """
    attempts: Attempts = request.app.state.attempts
    address = request.client.host if request.client else ""
    try:
        entered = await attempts.let(
            lambda: log_in(database, settings, wish.username, wish.password), address, wish.username
        )
    except TooManyAttempts as error:
        wait = {"Retry-After": str(math.ceil(error.seconds))}
        raise Answered(JSONResponse({"message": _TOO_MANY}, HTTPStatus.TOO_MANY_REQUESTS, wait)) from None
    if entered is None:
        raise told(HTTPStatus.UNAUTHORIZED, accessToken=None, message=_WRONG)
    user, token = entered
    return LoginAnswer(
        id=known_id(user.id),
        username=user.username,
        email=user.email,
        roles=[f"ROLE_{role.upper()}" for role in user.roles],
        access_token=token,
    )


@router.post(
    "/user",
    dependencies=_admins,
    responses=answers(right=Right.MANAGE_USERS, body=True, messages=_refusals),
)
async def add_a_user(wish: UserRequest, database: DatabaseHere) -> Message:
    """Add a user. The first one is added with `wod user add`."""
    _refuse_unknown_roles(wish.roles)
    try:
        await add_user(
            database, username=wish.username, email=wish.email, password=wish.password, roles=wish.roles or []
        )
    except Refused as error:
        raise failed(HTTPStatus.BAD_REQUEST, _TAKEN.get(error.reason, error.message)) from None
    return Message(message="User was registered successfully!")


@router.get("/users", dependencies=_admins, responses=answers(right=Right.MANAGE_USERS))
async def list_users(database: DatabaseHere) -> list[UserRow]:
    """Return all users."""
    async with database.transaction() as session:
        return [user_row(each) for each in await users(session)]


_of_one = answers(right=Right.MANAGE_USERS, fails=True, texts={HTTPStatus.BAD_REQUEST: (_UNKNOWN,)})


@router.get("/users/{id}", dependencies=_admins, responses=_of_one)
async def read_user(id: Number, database: DatabaseHere) -> UserRow:  # noqa: A002
    """Return one user."""
    try:
        async with database.transaction() as session:
            return user_row(await user_by_id(session, id))
    except Refused:
        raise said(HTTPStatus.BAD_REQUEST, _UNKNOWN) from None


@router.put(
    "/user/{id}",
    dependencies=_admins,
    responses=answers(
        right=Right.MANAGE_USERS, body=True, messages=_refusals, texts={HTTPStatus.BAD_REQUEST: (_UNKNOWN,)}
    ),
)
async def change_a_user(id: Number, wish: UserChange, database: DatabaseHere) -> UserRow:  # noqa: A002
    """Change a user. Another password, or other roles, end what the user has logged in to."""
    _refuse_unknown_roles(wish.roles)
    try:
        return user_row(await change_user(database, id, **wish.model_dump()))
    except Refused as error:
        if error.reason == "user_unknown":
            raise said(HTTPStatus.BAD_REQUEST, _UNKNOWN) from None
        raise failed(HTTPStatus.BAD_REQUEST, _TAKEN.get(error.reason, error.message)) from None


@router.delete("/user/{id}", dependencies=_admins, responses=_of_one)
async def remove_a_user(id: Number, database: DatabaseHere) -> dict[str, str]:  # noqa: A002
    """Remove a user, whose log-ins end with that."""
    try:
        async with database.transaction() as session:
            await remove_user(session, id)
    except Refused:
        raise said(HTTPStatus.BAD_REQUEST, _UNKNOWN) from None
    return {}


def _refuse_unknown_roles(names: list[str] | None) -> None:
    for name in names or ():
        if name not in list(Role):
            shown = name.encode(errors="replace").decode()[:50]
            raise failed(HTTPStatus.BAD_REQUEST, f"Failed! Role does not exist = {shown}")

"""Those who manage the programme: what they may do by their roles, and what names and passwords they may have."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from models.errors import Refused

USERNAME_LIMIT = 64  # characters

# NIST SP 800-63B, section 5.1.1.2, asks for 8 beside a limit of attempts; these open everybody's bookings.
PASSWORD_LEAST = 12  # characters
# Whatever a person remembers is shorter, and hashing takes the longer the more there is.
PASSWORD_MOST = 200  # characters

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]*")


class Role(StrEnum):
    """What a person is to the programme. Students need no role: they log in nowhere but at their seat."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Right(StrEnum):
    """What a log-in may be needed for."""

    LOOK_AROUND = "look around"  # what anybody who has a log-in may see
    SEE_BOOKINGS = "see bookings"  # everybody's, with names and addresses
    END_BOOKINGS = "end bookings"
    SEE_SEATS = "see seats"
    MANAGE_USERS = "manage users"


_EVERYBODY = frozenset(Role)
_STAFF = frozenset({Role.MODERATOR, Role.ADMIN})

HOLDERS: dict[Right, frozenset[Role]] = {
    Right.LOOK_AROUND: _EVERYBODY,
    Right.SEE_BOOKINGS: _STAFF,
    Right.END_BOOKINGS: _STAFF,
    Right.SEE_SEATS: _STAFF,
    Right.MANAGE_USERS: frozenset({Role.ADMIN}),
}


def may(roles: Collection[str], right: Right) -> bool:
    """Whether somebody with these roles has a right; a role that doesn't exist gives none."""
    return not HOLDERS[right].isdisjoint(roles)


def check_roles(names: Collection[str]) -> list[Role]:
    """Return the roles of these names, each once, in the order of Role; none given: the least.

    Raises:
        Refused: role_unknown.

    """
    unknown = sorted(set(names) - {role.value for role in Role})
    if unknown:
        raise Refused(
            f"There is no role {', '.join(unknown)}. The roles are {', '.join(Role)}.", reason="role_unknown"
        )
    return [role for role in Role if role in names] or [Role.USER]


def check_username(text: str) -> str:
    """Return the name that somebody logs in with, in lower case: capitals make no difference.

    Raises:
        Refused: username_malformed.

    """
    name = text.strip().lower()
    if len(name) > USERNAME_LIMIT or not _USERNAME.fullmatch(name):
        raise Refused(
            f"A user name has at most {USERNAME_LIMIT} letters, digits and ._@+-, and begins with a letter or a"
            " digit. Please choose another one.",
            reason="username_malformed",
        )
    return name


def check_password(password: str, username: str) -> None:
    """Refuse a password that is soon guessed, or that can't be typed everywhere.

    Raises:
        Refused: password_weak.

    """
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise _weak(f"A password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters.")
    if not password.isprintable():
        raise _weak("A password holds no line breaks or other characters that can't be seen.")
    if len(set(password)) < PASSWORD_LEAST // 3 or password.casefold() == username.casefold():
        raise _weak("This password is soon guessed.")


def _weak(why: str) -> Refused:
    return Refused(f"{why} Please choose another one.", reason="password_weak")

"""What a partner's key may be used for, and what such a key looks like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum

from models.errors import Refused

# Scanners for leaked secrets and people in a hurry know a key by its beginning.
KEY_PREFIX = "wod_"
_KEY = re.compile(r"wod_[A-Za-z0-9_-]{43}")  # 32 random bytes, as secrets.token_urlsafe writes them
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")


class Scope(StrEnum):
    """One thing that a key may be allowed to do, always with the bookings of that key alone."""

    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    WEBHOOKS_WRITE = "webhooks:write"


def key_digest(key: str) -> str | None:
    """Return the form in which a key is stored (SHA-256), None for what can't be a key.

    A key has 256 random bits, so there is nothing to guess that a slower digest would protect.
    """
    return hashlib.sha256(key.encode()).hexdigest() if _KEY.fullmatch(key) else None


def check_key_name(name: str) -> str:
    """Return the name of a key, or refuse: key_name_malformed."""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{name!r} can't name a key. Use up to 60 letters, digits, spaces, dots, dashes and underscores.",
            reason="key_name_malformed",
        )
    return name


def check_scopes(scopes: Iterable[str]) -> list[Scope]:
    """Return scopes without repetition, in the order of Scope.

    Raises:
        Refused: scopes_missing or scope_unknown, which names all that are unknown.

    """
    chosen = set(scopes)
    unknown = sorted(chosen - set(Scope))
    if unknown:
        raise Refused(
            f"There is no scope {', '.join(unknown)}. There are {', '.join(Scope)}.", reason="scope_unknown"
        )
    if not chosen:
        raise Refused(f"A key needs at least one scope of {', '.join(Scope)}.", reason="scopes_missing")
    return [scope for scope in Scope if scope in chosen]

"""Who a partner's program is, what its key allows, and how often it may ask."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from models.door_tables import ApiKey
from models.errors import Refused
from models.rules.scopes import Scope, key_digest
from models.store.partners import open_key, unknown_key
from models.tables import utc_now
from ui.api.parts import DatabaseHere, refusals

_bearer = HTTPBearer(
    scheme_name="partner key",
    bearerFormat="wod_…",
    description="A key that `wod key add` has made, with the scopes that the operation names.",
    auto_error=False,
)


class KeyLimiter:
    """Counts the requests of each key, in this process."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, key: ApiKey) -> tuple[bool, dict[str, str], datetime]:
        """Count a request; return whether it is one too many, what to tell of the limit, and when it ends.

        What is told are the fields of draft-ietf-httpapi-ratelimit-headers-10.
        """
        rate = _rate(key.request_rate)
        is_granted = await self._limiter.hit(rate, str(key.id))
        reset, remaining = await self._limiter.get_window_stats(rate, str(key.id))
        seconds = max(0, round(reset - time.time()))
        told = {
            "RateLimit-Policy": f'"key";q={rate.amount};w={rate.get_expiry()}',
            "RateLimit": f'"key";r={max(0, remaining)};t={seconds}',
        }
        return not is_granted, told, datetime.fromtimestamp(reset, UTC)


async def _partner(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    database: DatabaseHere,
) -> ApiKey:
    digest = key_digest(credentials.credentials) if credentials else None
    key = None
    if digest is not None:
        async with database.transaction() as session:
            key = await open_key(session, digest, utc_now())
    if key is None:
        raise unknown_key()
    limiter: KeyLimiter = request.app.state.key_limiter
    is_too_often, request.state.answer_headers, reset = await limiter.count(key)
    if is_too_often:
        raise Refused(
            f"This key may make {key.request_rate.replace('/', ' requests per ')}.",
            reason="too_many_requests",
            retry_at=reset,
        )
    missing = [scope for scope in needed.scopes if scope not in key.scopes]
    if missing:
        raise Refused(f"This key lacks the scope {', '.join(missing)}.", reason="scope_missing")
    return key


BookingsReader = Annotated[ApiKey, Security(_partner, scopes=[Scope.BOOKINGS_READ])]
BookingsWriter = Annotated[ApiKey, Security(_partner, scopes=[Scope.BOOKINGS_WRITE])]
WebhooksWriter = Annotated[ApiKey, Security(_partner, scopes=[Scope.WEBHOOKS_WRITE])]


def partner_answers(status: HTTPStatus, *reasons: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of an operation's answers to partners, for OpenAPI."""
    answers = {
        status.value: {"description": status.phrase},
        **refusals("key_unknown", "scope_missing", "too_many_requests", *reasons),
    }
    for number, answer in answers.items():
        if number not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE):
            answer["headers"] = {**answer.get("headers", {}), **_RATE_HEADERS}
    answers[HTTPStatus.UNAUTHORIZED]["headers"] = {
        "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}
    }
    return answers


_RATE_HEADERS = {
    "RateLimit-Policy": {
        "description": 'How many requests (q) the key may make in how many seconds (w): `"key";q=60;w=60`.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'How many are left (r), and in how many seconds (t) there are more: `"key";r=59;t=60`.',
        "schema": {"type": "string"},
    },
}


@lru_cache
def _rate(text: str) -> RateLimitItem:
    return parse(text)

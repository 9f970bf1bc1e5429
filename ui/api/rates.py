"""How often one address may ask: of everything, and of what takes a seat or a place in a line, or is kept."""

from __future__ import annotations

import re
import time
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from models.rules.networks import client_of, is_among, networks
from models.settings import Settings
from ui.api.errors import problem_response

_BOOKS = re.compile(
    r"/api/(v1/bookings|v1/workshops/[^/]+/waiting|v1/waiting/[^/]+/booking|customer|email/send-feedback)"
)


class Rates:
    """ASGI middleware that refuses those who ask too often, by their address.

    Whom a request comes from is what the trusted proxies say. A request of such a proxy that names nobody else
    is one of the platform's own programs, and not limited.

    Windows slide, approximately: the moving window of this library searches all addresses in threads of their own
    with each request.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._own = networks(settings.trusted_proxies)
        self._any, self._booking = parse(settings.request_rate), parse(settings.booking_rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with the time to wait."""
        wait = await self._seconds_to_wait(scope) if scope["type"] == "http" else None
        app = self._app if wait is None else _too_many(wait)
        await app(scope, receive, send)

    async def _seconds_to_wait(self, scope: Scope) -> float | None:
        address = scope["client"][0] if scope.get("client") else ""
        if is_among(address, self._own):
            return None
        client = client_of(address)
        if not await self._limiter.hit(self._any, "any", client):
            return await self._until_reset(self._any, "any", client)
        is_booking = scope["method"] == "POST" and _BOOKS.fullmatch(scope["path"])
        if is_booking and not await self._limiter.hit(self._booking, "booking", client):
            return await self._until_reset(self._booking, "booking", client)
        return None

    async def _until_reset(self, rate: RateLimitItem, *names: str) -> float:
        return (await self._limiter.get_window_stats(rate, *names)).reset_time - time.time()


def _too_many(wait_seconds: float) -> ASGIApp:
    return problem_response(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        "Too many requests came from your address. Please wait a moment, then try again.",
        retry_after=wait_seconds,
    )

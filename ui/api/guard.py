"""What every request passes: limits of size and time, security headers, and one line in the access log."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.errors import database_away, problem_response
from ui.api.request_metrics import RequestMetrics, route_of

BODY_LIMIT_BYTES = 16_384  # a booking with the longest fields that are allowed has about 1,000
DEADLINE_SECONDS = 15  # until an answer begins

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

access_logger = logging.getLogger("ui.api.access")
logger = logging.getLogger("ui.api")


class Guard:
    """ASGI middleware around the whole API.

    The access log tells the route, never the path: a path holds a booking's reference.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever goes wrong inside, the client gets an answer without its details."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # What holds for every answer to this request, refusals included, such as the rate of a key.
                headers.update(scope.get("state", {}).get("answer_headers", {}))
            await send(message)

        try:
            await self._serve(scope, receive, send_guarded)
        except Exception as error:
            logger.error("request failed: %s", _story(error))
            if status:  # the answer has begun; only cutting it off tells the client
                raise
            answer = database_away() if isinstance(error, TimeoutError) else _internal_error()
            await answer(scope, receive, send_guarded)
        finally:
            seconds = time.perf_counter() - begun
            _log_access(scope, status, seconds)
            self._metrics.count(scope, status, seconds)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def receive_limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > BODY_LIMIT_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        async with asyncio.timeout(DEADLINE_SECONDS) as deadline:

            async def send_in_time(message: Message) -> None:
                deadline.reschedule(None)  # a download may take as long as it needs
                await send(message)

            declared = Headers(scope=scope).get("content-length", "0")
            if declared.isdecimal() and int(declared) > BODY_LIMIT_BYTES:
                await _too_large()(scope, receive, send_in_time)
            else:
                await self._app(scope, receive_limited, send_in_time)


def configure_logging(level: str) -> None:
    """Log the API's own lines as JSON to standard error, and keep paths out of the server's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True


class _JsonFormatter(logging.Formatter):
    """One JSON object a line; `fields` of the record are added to it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | fields)


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    fields = {
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
    }
    access_logger.info("request", extra={"fields": fields})


def _story(error: BaseException) -> str:
    """Return what happened for the log; what the database says is left out, for it quotes e-mail addresses."""
    said = "" if type(error).__module__.startswith(("sqlalchemy", "psycopg")) else str(error)
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}: {said}\n{where}"


def _too_large() -> ASGIApp:
    return problem_response(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "request_too_large",
        f"The request is too large. Send at most {BODY_LIMIT_BYTES} bytes.",
    )


def _internal_error() -> ASGIApp:
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something went wrong on our side, and was written down. Please try again later.",
    )

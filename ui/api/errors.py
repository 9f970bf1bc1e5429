"""How the API refuses: one shape for everything that is not granted, and never a stack trace."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from models.errors import Refused, StepFailed, WodError
from models.store.condition import DATABASE_AWAY
from models.tables import utc_now
from ui.api.schemas import FieldProblem, Problem

PROBLEM_MEDIA_TYPE = "application/problem+json"

# A full workshop is a conflict (409) and no trouble of the server (503), which proxies would try again
# elsewhere and operators be woken by. Retry-After is allowed with any status (RFC 9110, section 10.2.3).
_STATUS = {
    "workshop_unknown": HTTPStatus.NOT_FOUND,
    "picture_unknown": HTTPStatus.NOT_FOUND,
    "booking_unknown": HTTPStatus.NOT_FOUND,
    "work_missing": HTTPStatus.NOT_FOUND,
    "work_expired": HTTPStatus.GONE,
    "already_booked": HTTPStatus.CONFLICT,
    "workshop_inactive": HTTPStatus.CONFLICT,
    "workshop_full": HTTPStatus.CONFLICT,
    "seats_free": HTTPStatus.CONFLICT,
    "already_waiting": HTTPStatus.CONFLICT,
    "line_full": HTTPStatus.CONFLICT,
    "place_unknown": HTTPStatus.NOT_FOUND,
    "offer_missing": HTTPStatus.CONFLICT,
    "offer_expired": HTTPStatus.GONE,
    "extension_refused": HTTPStatus.CONFLICT,
    "link_unknown": HTTPStatus.NOT_FOUND,
    "link_expired": HTTPStatus.GONE,
    "badge_unknown": HTTPStatus.NOT_FOUND,
    "badge_withdrawn": HTTPStatus.GONE,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "key_unknown": HTTPStatus.UNAUTHORIZED,
    "scope_missing": HTTPStatus.FORBIDDEN,
    "too_many_bookings": HTTPStatus.CONFLICT,
    "too_many_webhooks": HTTPStatus.CONFLICT,
    "webhook_unknown": HTTPStatus.NOT_FOUND,
    "delivery_unknown": HTTPStatus.NOT_FOUND,
}
_REASONS = {
    HTTPStatus.BAD_REQUEST: ("request_malformed", "The request can't be understood."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address. The API is described at /api/docs."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address does not take that method."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("request_too_large", "The request is larger than any that makes sense."),
}
_RETRY_SOON_SECONDS = 5

# What only operators can mend: it is logged, and whoever asked learns no more than that it failed.
_OF_OPERATORS = {"secret_missing"}

# What pydantic says to programmers, said to people.
_MESSAGES = {
    ("accept_terms", "literal_error"): "Please accept the terms and conditions.",
    ("accept_terms", "missing"): "Please accept the terms and conditions.",
    ("*", "missing"): "This field is needed.",
    ("*", "extra_forbidden"): "There is no such field.",
    ("*", "string_type"): "This has to be text.",
    ("", "json_invalid"): "The body is not JSON.",
    ("", "missing"): "The body is missing. It has to be JSON, and to be sent as application/json.",
}


class InputRefused(Exception):
    """A request with wrong fields; `fields` names them all."""

    def __init__(self, fields: Sequence[FieldProblem]) -> None:
        super().__init__("the request has wrong fields")
        self.fields = list(fields)


def problem_response(
    status: int,
    reason: str,
    message: str,
    *,
    fields: Sequence[FieldProblem] = (),
    retry_at: datetime | None = None,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a refusal; `retry_at`, or else `retry_after` seconds, becomes the Retry-After header."""
    problem = Problem(status=int(status), reason=reason, message=message, fields=list(fields), retry_at=retry_at)
    if retry_at is not None:
        retry_after = (retry_at - utc_now()).total_seconds()
    shown = dict(headers or {})
    if retry_after is not None:
        shown["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return Response(problem.model_dump_json(), int(status), shown, PROBLEM_MEDIA_TYPE)


def database_away() -> Response:
    """Return the answer while PostgreSQL can't be reached."""
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database_unavailable",
        "The service is out of order at the moment. Nothing was changed or lost; please try again soon.",
        retry_after=_RETRY_SOON_SECONDS,
    )


def field_problems(error: RequestValidationError) -> list[FieldProblem]:
    """Return what is wrong with a request in words for people; what was sent is not repeated."""
    return [_field_problem(each) for each in error.errors()]


def install_handlers(app: FastAPI) -> None:
    """Make `app` answer every refusal and failure as a Problem."""
    app.add_exception_handler(WodError, _wod_error)
    app.add_exception_handler(InputRefused, _input_refused)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database_away)


def _field_problem(each: Mapping[str, Any]) -> FieldProblem:
    place = [str(part) for part in each["loc"] if part not in ("body", "path", "query", "header")]
    kind = str(each["type"])
    # A position in broken JSON is no field; and lone surrogates in a field's name can't be sent back.
    field = "" if kind == "json_invalid" else ".".join(place).encode(errors="replace").decode()[:100]
    message = _MESSAGES.get((field, kind)) or _MESSAGES.get(("*", kind)) or "This value makes no sense here."
    return FieldProblem(field=field, reason=kind, message=message)


async def _wod_error(_: Request, error: Exception) -> Response:
    if isinstance(error, Refused) and error.reason not in _OF_OPERATORS:
        status = _STATUS.get(error.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
        headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
        return problem_response(status, error.reason, error.message, retry_at=error.retry_at, headers=headers)
    if isinstance(error, StepFailed):
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE, error.reason, error.message, retry_after=_RETRY_SOON_SECONDS
        )
    raise error


async def _input_refused(_: Request, error: Exception) -> Response:
    fields = error.fields if isinstance(error, InputRefused) else []
    message = " ".join(field.message for field in fields)
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "input_wrong", message, fields=fields)


async def _invalid_request(request: Request, error: Exception) -> Response:
    fields = field_problems(error) if isinstance(error, RequestValidationError) else []
    return await _input_refused(request, InputRefused(fields))


async def _http_exception(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    reason, message = _REASONS.get(HTTPStatus(status), ("request_refused", HTTPStatus(status).phrase))
    return problem_response(status, reason, message, headers=headers)


async def _database_away(_: Request, __: Exception) -> Response:
    return database_away()

"""What the routes work with: settings and database of the running API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request

from models.errors import Refused
from models.settings import Settings
from models.store.badges import Holders
from models.store.database import Database
from ui.api.lasting import Lasting
from ui.api.schemas import Problem


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _holders(request: Request) -> Lasting[Holders]:
    holders: Lasting[Holders] = request.app.state.badge_holders
    return holders


async def _popular(request: Request) -> Lasting[set[int]]:
    popular: Lasting[set[int]] = request.app.state.popular_workshops
    return popular


# The tag of operations that answer as the existing system does, in shapes of their own.
COMPATIBLE = "existing system"

SettingsHere = Annotated[Settings, Depends(_settings)]
DatabaseHere = Annotated[Database, Depends(_database)]
HoldersHere = Annotated[Lasting[Holders], Depends(_holders)]
PopularHere = Annotated[Lasting[set[int]], Depends(_popular)]

# What names a booking, a place in a line, a webhook or a message.
REFERENCE = "^[A-Za-z0-9_-]{16,64}$"

_EXAMPLES: dict[str, tuple[HTTPStatus, dict[str, Any]]] = {
    "workshop_unknown": (
        HTTPStatus.NOT_FOUND,
        {"message": "There is no such workshop. Choose one from the catalog."},
    ),
    "picture_unknown": (HTTPStatus.NOT_FOUND, {"message": "There is no such picture."}),
    "booking_unknown": (
        HTTPStatus.NOT_FOUND,
        {"message": "There is no such booking. Open the link from your mail again, or book anew."},
    ),
    "work_missing": (HTTPStatus.NOT_FOUND, {"message": "There is no work to fetch yet."}),
    "work_expired": (HTTPStatus.GONE, {"message": "This work was deleted."}),
    "already_booked": (
        HTTPStatus.CONFLICT,
        {
            "message": "This e-mail address has a booking already, and can have one at a time.",
            "retry_at": "2026-11-23T15:00:00Z",
        },
    ),
    "workshop_full": (
        HTTPStatus.CONFLICT,
        {
            "message": "All seats of this workshop are taken. Try again later, or choose another one.",
            "retry_at": "2026-11-23T15:00:00Z",
        },
    ),
    "seats_free": (
        HTTPStatus.CONFLICT,
        {"message": "There are free seats: book one now, without waiting."},
    ),
    "already_waiting": (
        HTTPStatus.CONFLICT,
        {"message": "This e-mail address is in the line already."},
    ),
    "line_full": (
        HTTPStatus.CONFLICT,
        {
            "message": "The line for this workshop takes nobody any more. Please try again later.",
            "retry_at": "2026-11-23T15:00:00Z",
        },
    ),
    "place_unknown": (HTTPStatus.NOT_FOUND, {"message": "There is no such place in a line."}),
    "offer_missing": (HTTPStatus.CONFLICT, {"message": "No seat is offered to you at the moment."}),
    "offer_expired": (HTTPStatus.GONE, {"message": "This offer was not taken in time."}),
    "extension_refused": (HTTPStatus.CONFLICT, {"message": "Somebody waits for your seat."}),
    "link_unknown": (HTTPStatus.NOT_FOUND, {"message": "This link opens nothing."}),
    "link_expired": (HTTPStatus.GONE, {"message": "This link is too old."}),
    "badge_unknown": (HTTPStatus.NOT_FOUND, {"message": "There is no such badge."}),
    "badge_withdrawn": (
        HTTPStatus.GONE,
        {"message": "Whoever earned this badge had their data erased, so it proves nothing any more."},
    ),
    "workshop_inactive": (
        HTTPStatus.CONFLICT,
        {"message": "This workshop is not offered at the moment. Choose another one from the catalog."},
    ),
    "too_many_requests": (
        HTTPStatus.TOO_MANY_REQUESTS,
        {"message": "This is asked too often.", "retry_at": "2026-11-23T15:00:00Z"},
    ),
    "key_unknown": (HTTPStatus.UNAUTHORIZED, {"message": "This needs a key: Authorization: Bearer wod_…."}),
    "scope_missing": (HTTPStatus.FORBIDDEN, {"message": "This key lacks the scope bookings:write."}),
    "too_many_bookings": (
        HTTPStatus.CONFLICT,
        {
            "message": "This key has 20 unfinished bookings, and can have 20 at once.",
            "retry_at": "2026-11-23T15:00:00Z",
        },
    ),
    "too_many_webhooks": (
        HTTPStatus.CONFLICT,
        {"message": "This key has 10 webhooks, and can have no more. Delete one first."},
    ),
    "webhook_unknown": (HTTPStatus.NOT_FOUND, {"message": "There is no such webhook of yours."}),
    "delivery_unknown": (HTTPStatus.NOT_FOUND, {"message": "There is no such delivery of this webhook."}),
    "idempotency_key_reused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        {"message": "This Idempotency-Key was used for another request."},
    ),
    "cursor_unknown": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        {"message": "This cursor belongs to no list of yours. Begin again without one."},
    ),
    "request_malformed": (HTTPStatus.BAD_REQUEST, {"message": "The request can't be understood."}),
    "request_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"message": "The request is too large."}),
    "input_wrong": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        {
            "message": "Please tell us your name.",
            "fields": [{"field": "name", "reason": "name_missing", "message": "Please tell us your name."}],
        },
    ),
    "seats_contended": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"message": "Too many people are booking at this moment. Please try again."},
    ),
    "database_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"message": "The service is out of order at the moment. Nothing was changed or lost."},
    ),
}
_PROBLEM_SCHEMA = {"schema": {"$ref": "#/components/schemas/Problem"}}
_WITH_RETRY = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def checked_reference(reference: str, unknown: Callable[[], Refused]) -> str:
    """Return a reference that could be one; what can't be is refused as one that names nothing."""
    if not re.fullmatch(REFERENCE, reference):
        raise unknown()
    return reference


def refusals(*reasons: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of the answers with these reasons, each with an example, for OpenAPI."""
    answers: dict[int | str, dict[str, Any]] = {}
    for reason in (*reasons, "database_unavailable"):
        status, example = _EXAMPLES[reason]
        answer = answers.setdefault(
            status.value,
            {
                "model": Problem,
                "description": status.phrase,
                "content": {"application/json": {"examples": {}}},
                "headers": _retry_after() if status in _WITH_RETRY else {},
            },
        )
        answer["content"]["application/json"]["examples"][reason] = {
            "value": {"status": status.value, "reason": reason} | example
        }
    return dict(sorted(answers.items()))


def problem_answers(schema: dict[str, Any], media_type: str) -> None:
    """Give the refusals in an OpenAPI schema their media type, and tell what can really happen.

    FastAPI documents what it knows: a validation error for each path with a parameter, and JSON. Whoever asks
    too often is refused before any route.
    """
    common = refusals("too_many_requests")[HTTPStatus.TOO_MANY_REQUESTS]
    too_many = {**common, "content": {media_type: common["content"]["application/json"] | _PROBLEM_SCHEMA}}
    del too_many["model"]
    for path in schema["paths"].values():
        for operation in path.values():
            answers: dict[str, dict[str, Any]] = operation["responses"]
            has_problems = COMPATIBLE not in operation.get("tags", ())
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
            for status, answer in answers.items():
                if has_problems and status >= "400" and "application/json" in answer.get("content", {}):
                    answer["content"] = {media_type: answer["content"]["application/json"]}
            if "security" in operation and not answers.keys() & {"401", "403"}:
                operation["security"].append({})  # who has a key may show it; nobody has to
            known = answers.setdefault("429", too_many)
            known["content"] = too_many["content"] | known.get("content", {})
    for path in schema.get("webhooks", {}).values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _retry_after() -> Mapping[str, Any]:
    return {
        "Retry-After": {
            "description": "In how many seconds asking again makes sense, if that is known.",
            "schema": {"type": "integer", "minimum": 1},
        }
    }

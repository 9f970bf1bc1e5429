"""What routes of the compatible API share: numbers in paths, and refusals in the shapes of the existing system."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from models.errors import Refused, StepFailed
from models.rules.roles import HOLDERS, Right, Role
from models.store.condition import DATABASE_AWAY
from ui.api.errors import PROBLEM_MEDIA_TYPE, field_problems
from ui.api.parts import COMPATIBLE, refusals

# What names a row in a path; a greater number is no integer to PostgreSQL.
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

NO_TOKEN, BAD_TOKEN = "No token provided!", "Unauthorized!"

_JSON, _TEXT = "application/json", "text/plain"


class Answered(Exception):
    """Ends a request with an answer that is already known."""

    def __init__(self, response: Response) -> None:
        super().__init__("the request is answered")
        self.response = response


def told(status: HTTPStatus, **fields: Any) -> Answered:
    """Return the end of a request with these fields as JSON."""
    return Answered(JSONResponse(fields, status))


def said(status: HTTPStatus, text: str) -> Answered:
    """Return the end of a request with a text."""
    return Answered(PlainTextResponse(text, status))


def failed(status: HTTPStatus, message: str) -> Answered:
    """Return the end of a request that failed: some clients of the existing system look for `error`, some not."""
    return told(status, error=message, message=message)


def lack_of(right: Right) -> str:
    """Return what somebody is told who lacks a right."""
    roles = [role.capitalize() for role in Role if role in HOLDERS[right]]
    return f"Require {' or '.join(roles)} Role!"


class _CompatibleRoute(APIRoute):
    """A route whose refusals and failures have the shapes of the existing system."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def compatible(request: Request) -> Response:
            try:
                return await handle(request)
            except Answered as answered:
                return answered.response
            except RequestValidationError as error:
                wrong = " ".join(
                    f"{each.field}: {each.message}".removeprefix(": ") for each in field_problems(error)
                )
                return failed(HTTPStatus.BAD_REQUEST, wrong).response
            except Refused as error:
                return failed(HTTPStatus.BAD_REQUEST, error.message).response
            except StepFailed as error:
                return failed(HTTPStatus.SERVICE_UNAVAILABLE, error.message).response
            except DATABASE_AWAY:
                away = "The service is out of order at the moment. Nothing was changed or lost."
                return failed(HTTPStatus.SERVICE_UNAVAILABLE, away).response
            except HTTPException as error:
                if error.status_code != HTTPStatus.BAD_REQUEST:
                    raise
                return failed(HTTPStatus.BAD_REQUEST, "The request can't be understood.").response

        return compatible


def compatible_router() -> APIRouter:
    """Return a router for paths of the existing system."""
    return APIRouter(prefix="/api", tags=[COMPATIBLE], route_class=_CompatibleRoute)


def answers(
    *,
    right: Right | None = None,
    fails: bool = False,
    body: bool = False,
    texts: Mapping[HTTPStatus, Sequence[str]] | None = None,
    messages: Mapping[HTTPStatus, Sequence[str]] | None = None,
    models: Mapping[HTTPStatus, type[BaseModel]] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Return the description of an operation's answers besides success, for OpenAPI.

    `right`: it asks for one; `fails`: it may refuse fields; `body`: it takes one; `texts` and `messages` are
    what it may say, as text or as JSON, and `models` what else it may answer.
    """
    said_texts, told_messages = dict(texts or {}), dict(messages or {})
    if right is not None:
        told_messages[HTTPStatus.FORBIDDEN] = (NO_TOKEN, lack_of(right))
        told_messages[HTTPStatus.UNAUTHORIZED] = (BAD_TOKEN,)
    contents: dict[HTTPStatus, dict[str, Any]] = {
        HTTPStatus.SERVICE_UNAVAILABLE: {_JSON: _failure()} | _problem("database_unavailable")
    }
    if fails or body:
        contents[HTTPStatus.BAD_REQUEST] = {_JSON: _failure()}
    if body:
        contents[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] = _problem("request_too_large")
    for status, known in told_messages.items():
        contents.setdefault(status, {})[_JSON] = (
            _failure() if (fails or body) and status == 400 else _message(known)
        )
    for status, known in said_texts.items():
        examples = {text: {"value": text} for text in known}
        contents.setdefault(status, {})[_TEXT] = {"schema": {"type": "string"}, "examples": examples}
    found: dict[int | str, dict[str, Any]] = {
        status.value: {"description": status.phrase, "content": content}
        for status, content in sorted(contents.items())
    }
    for status, model in (models or {}).items():
        found[status.value]["model"] = model
    return found


def _problem(reason: str) -> dict[str, Any]:
    """Return the content of a refusal that comes before the route."""
    [known] = [each["content"] for each in refusals(reason).values() if reason in str(each["content"])]
    return {PROBLEM_MEDIA_TYPE: known[_JSON] | {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _message(known: Sequence[str]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "schema": {"type": "object", "properties": {"message": text}, "required": ["message"]},
        "examples": {each: {"value": {"message": each}} for each in known},
    }


def _failure() -> dict[str, Any]:
    text = {"type": "string", "description": "What is wrong, for people.", "examples": ["This can't be done."]}
    return {
        "schema": {
            "type": "object",
            "properties": {"error": text, "message": text},
            "required": ["message"],
        }
    }

"""What the rules say against a request, field by field: all that is wrong is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from models.errors import Refused
from models.rules.addresses import check_address
from models.rules.partner_addresses import check_return_url, check_webhook_url
from models.rules.people import check_company, check_name, check_partner_user
from models.settings import Settings
from ui.api.errors import InputRefused, field_problems
from ui.api.schemas import FieldProblem

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class CheckedRoute(APIRoute):
    """A route that reports every wrong field at once, those of the wrong type and those the rules refuse."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what FastAPI calls, with the rules' problems added to those of the types."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                found = field_problems(error)
                known = {problem.field for problem in found}
                body = error.body if isinstance(error.body, dict) else {}
                others = rule_problems(body, request.app.state.settings)
                raise InputRefused(found + [each for each in others if each.field not in known]) from None

        return checked


def refuse_wrong_fields(wish: Mapping[str, Any], settings: Settings) -> None:
    """Raise InputRefused with all that the rules say against a request."""
    problems = rule_problems(wish, settings)
    if problems:
        raise InputRefused(problems)


def rule_problems(wish: Mapping[str, Any], settings: Settings) -> list[FieldProblem]:
    """Return what the rules say against the fields that are text at all."""
    checks: dict[str, Callable[[str], object]] = {
        "workshop": _check_workshop_key,
        "email": lambda text: check_address(text, settings.denied_email_domains),
        "name": check_name,
        "company": check_company,
        "partner_user": check_partner_user,
        "return_url": lambda text: text and check_return_url(text),
        "url": lambda text: check_webhook_url(text, takes_loopback=settings.is_of_this_machine),
    }
    problems = []
    for field, check in checks.items():
        value = wish.get(field)
        if not isinstance(value, str):
            continue
        try:
            check(value)
        except Refused as error:
            problems.append(FieldProblem(field=field, reason=error.reason, message=error.message))
    return problems


def _check_workshop_key(key: str) -> None:
    """Refuse what PostgreSQL can't even compare."""
    if _UNPRINTABLE.search(key):
        raise Refused("This is not the key of a workshop.", reason="workshop_malformed")

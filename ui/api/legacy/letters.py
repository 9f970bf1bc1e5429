"""Routes: feedback, and what the existing system did with mailing lists."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import PlainTextResponse

from models.errors import Refused
from models.rules.addresses import check_address
from models.store.feedback import keep_feedback
from ui.api.legacy.answers import answers, compatible_router, failed, said
from ui.api.legacy.schemas import FeedbackRequest
from ui.api.parts import DatabaseHere, SettingsHere

_NO_EMAIL, _NO_MESSAGE, _THANKS = "An email is required.", "A message is required.", "email sent successfully"
_MESSAGE_LIMIT = 5000  # characters
_NO_LISTS = "Not using sendgrid"

router = compatible_router()


@router.post(
    "/email/send-feedback",
    response_class=PlainTextResponse,
    responses=answers(
        body=True,
        texts={HTTPStatus.OK: (_THANKS,), HTTPStatus.BAD_REQUEST: (_NO_EMAIL, _NO_MESSAGE)},
    ),
)
async def send_feedback(wish: FeedbackRequest, settings: SettingsHere, database: DatabaseHere) -> str:
    """Keep what somebody says for those who manage the programme. Nothing is mailed to the address."""
    if not wish.email:
        raise said(HTTPStatus.BAD_REQUEST, _NO_EMAIL)
    message = _readable(wish.message or "")
    if not message:
        raise said(HTTPStatus.BAD_REQUEST, _NO_MESSAGE)
    if len(message) > _MESSAGE_LIMIT:
        raise failed(HTTPStatus.BAD_REQUEST, f"Please write at most {_MESSAGE_LIMIT} characters.")
    try:
        address = check_address(wish.email, settings.denied_email_domains).address
    except Refused as error:
        raise failed(HTTPStatus.BAD_REQUEST, error.message) from None
    async with database.transaction() as session:
        keep_feedback(session, address, message)
    return _THANKS


@router.post("/emails", status_code=HTTPStatus.BAD_REQUEST, response_class=PlainTextResponse, responses={})
async def add_to_mailing_list() -> str:
    """Refuse: there are no mailing lists, as with an existing system that has no account at SendGrid."""
    return _NO_LISTS


@router.get(
    "/email/random/{list_id}", status_code=HTTPStatus.BAD_REQUEST, response_class=PlainTextResponse, responses={}
)
async def draw_from_mailing_list(list_id: str) -> str:
    """Refuse, as above: an address that somebody gave is not for anybody who asks."""
    return _NO_LISTS


def _readable(text: str) -> str:
    """Return a text without what can't be shown, or kept in the database."""
    return "".join(each for each in text if each.isprintable() or each in "\n\t").strip()

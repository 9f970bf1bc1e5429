"""Links that prove something by a signature: who reads a mail's address, and what a badge says.

The texts are signed, not hidden: whoever has one can read what it names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from models.errors import Refused

# One key signs several things; the salts keep one from being taken for another.
_OWN_PAGE, _BADGE = "own page", "badge"

_LONGEST = 500  # characters of any signed text that is looked at


class BadgeSort(StrEnum):
    """What a badge is for: finishing a workshop, or several."""

    WORKSHOP = "workshop"
    SPECIAL = "special"


@dataclass(frozen=True)
class BadgeCode:
    """What the code of a badge names: a booking or a special badge's row, and a fingerprint of the booking.

    A row's number comes again when the database is restored from a backup, and is another student's then; the
    fingerprint doesn't.
    """

    sort: BadgeSort
    row_id: int
    fingerprint: str


class _SignerAt(TimestampSigner):
    """A signer that is told what time it is."""

    def __init__(self, *arguments: Any, moment: datetime, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._moment = moment

    def get_timestamp(self) -> int:
        return int(self._moment.timestamp())


def sign_link(key: str, reference: str, now: datetime) -> str:
    """Return the text of a link that opens the own page of whom `reference` (a booking, a place) belongs to."""
    return str(_link_serializer(key, now).dumps(reference))


def read_link(key: str, link: str, now: datetime, lifetime_days: float) -> str:
    """Return the reference that `link` was signed for.

    Raises:
        Refused: link_unknown; link_expired, when it was signed more than `lifetime_days` ago.

    """
    try:
        reference, signed_at = _link_serializer(key, now).loads(_possible(link), return_timestamp=True)
    except BadSignature:
        raise unknown_link() from None
    if not isinstance(reference, str):
        raise unknown_link()
    if now - signed_at > timedelta(days=lifetime_days):
        raise Refused(
            "This link is too old. Open the one in a newer mail of ours; booking again brings one, too.",
            reason="link_expired",
        )
    return reference


def unknown_link() -> Refused:
    """Return the refusal for a link that opens nothing."""
    return Refused(
        "This link opens nothing. Open the one in your mail again, and see that it is complete.",
        reason="link_unknown",
    )


def sign_badge(key: str, sort: BadgeSort, row_id: int, reference: str) -> str:
    """Return the code of a badge that the booking `reference` has brought; it proves it for ever."""
    named = [sort.value, row_id, fingerprint_of(reference)]
    return str(URLSafeSerializer(key, salt=_BADGE).dumps(named))


def read_badge(key: str, code: str) -> BadgeCode:
    """Return what the code of a badge names, or refuse: badge_unknown."""
    try:
        sort, row_id, fingerprint = URLSafeSerializer(key, salt=_BADGE).loads(_possible(code))
        return BadgeCode(BadgeSort(sort), int(row_id), str(fingerprint))
    except (BadSignature, ValueError, TypeError):
        raise unknown_badge() from None


def unknown_badge() -> Refused:
    """Return the refusal for a code that proves nothing."""
    return Refused(
        "There is no such badge: the link is incomplete, or was made up. Ask its holder for it again.",
        reason="badge_unknown",
    )


def fingerprint_of(reference: str) -> str:
    """Return what tells a booking from others without opening it: 16 hexadecimal digits."""
    return hashlib.sha256(f"badge of {reference}".encode()).hexdigest()[:16]


def _link_serializer(key: str, now: datetime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt=_OWN_PAGE, signer=_SignerAt, signer_kwargs={"moment": now})


def _possible(text: str) -> str:
    """Return `text` if it could have been signed here at all."""
    if len(text) > _LONGEST or not text.isascii():
        raise BadSignature("never signed")
    return text

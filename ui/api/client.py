"""The API's typed client, for the catalog, the command line and other programs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from ui.api.own_schemas import BadgeKind, BadgeProof, Forgotten, OwnPage, WaitingPlace, WaitingRequest
from ui.api.schemas import (
    BookingCreated,
    BookingRequest,
    BookingStatus,
    Brand,
    FieldProblem,
    Health,
    Problem,
    Workshop,
    WorkshopDetails,
)

T = TypeVar("T")

_WORKSHOPS = TypeAdapter(list[Workshop])
_BADGES = TypeAdapter(list[BadgeKind])


class ApiError(Exception):
    """The API did not grant a request, or can't be reached.

    `reason` is the API's own word, or `api_unreachable` or `answer_malformed`; `message` is for people;
    `fields` are the wrong fields of a request; `retry_at` is when asking again makes sense, if known.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retry_at: datetime | None = None,
        fields: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_at = retry_at
        self.fields = list(fields)

    @property
    def is_outage(self) -> bool:
        """Whether the service is out of order, so that the same request may be granted later."""
        return self.reason in {
            "api_unreachable",
            "answer_malformed",
            "database_unavailable",
            "internal_error",
            "seats_contended",
        }


class ApiClient:
    """A connection to the API at `url`; safe to share between threads. Every method raises ApiError."""

    # For whom what changes something is asked.
    _visitor = ""

    def __init__(self, url: str, *, timeout_seconds: float = 20) -> None:
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/api/",
            timeout=timeout_seconds,
            # Connecting anew is safe for any request: nothing was sent yet.
            transport=httpx.HTTPTransport(retries=1),
        )

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def on_behalf_of(self, visitor: str) -> Self:
        """Return this client for one visitor of whoever runs it, by the same connection.

        `visitor` is an address, or several as in X-Forwarded-For. The API counts what the visitor books, and
        believes it of trusted proxies alone. Reading is the program's own, as often as its pages do it.
        """
        client = copy(self)
        client._visitor = visitor if visitor.isascii() and visitor.isprintable() else ""
        return client

    def brand(self) -> Brand:
        """Return how the programme presents itself."""
        return self._read(Brand, "GET", "brand")

    def workshops(self) -> list[Workshop]:
        """Return the workshops that can be booked."""
        return _parsed(_WORKSHOPS, self._send("GET", "workshops"))

    def workshop(self, key: str) -> WorkshopDetails:
        """Return one workshop that can be booked."""
        return self._read(WorkshopDetails, "GET", f"workshops/{_part(key)}")

    def book(self, wish: BookingRequest) -> BookingCreated:
        """Book a workshop; refused with workshop_full, already_booked, input_wrong and the like."""
        return self._read(BookingCreated, "POST", "bookings", json=wish.model_dump())

    def booking(self, reference: str) -> BookingStatus:
        """Return where a booking is."""
        return self._read(BookingStatus, "GET", f"bookings/{_part(reference)}")

    def end_booking(self, reference: str) -> BookingStatus:
        """End a booking; one that has ended stays as it is."""
        return self._read(BookingStatus, "DELETE", f"bookings/{_part(reference)}")

    def work(self, reference: str) -> bytes:
        """Return the zip of what the student did."""
        return self._send("GET", f"bookings/{_part(reference)}/work").content

    def wait(self, workshop: str, wish: WaitingRequest) -> WaitingPlace:
        """Join the line for a full workshop; refused with seats_free, already_waiting and the like."""
        return self._read(WaitingPlace, "POST", f"workshops/{_part(workshop)}/waiting", json=wish.model_dump())

    def waiting(self, reference: str) -> WaitingPlace:
        """Return where somebody who waits is in the line, and what is offered."""
        return self._read(WaitingPlace, "GET", f"waiting/{_part(reference)}")

    def take_offer(self, reference: str) -> BookingCreated:
        """Book the seat that is offered to somebody who waited."""
        return self._read(BookingCreated, "POST", f"waiting/{_part(reference)}/booking")

    def leave_line(self, reference: str) -> WaitingPlace:
        """Give up a place in the line, or an offer."""
        return self._read(WaitingPlace, "DELETE", f"waiting/{_part(reference)}")

    def own_page(self, link: str) -> OwnPage:
        """Return all about the student whose mail the link came with."""
        return self._read(OwnPage, "GET", f"me/{_part(link)}")

    def extend_session(self, link: str) -> OwnPage:
        """Make the session under way longer, or refuse with extension_refused and the obstacle."""
        return self._read(OwnPage, "POST", f"me/{_part(link)}/extension")

    def end_session(self, link: str) -> OwnPage:
        """End the session under way; without one nothing changes."""
        return self._read(OwnPage, "DELETE", f"me/{_part(link)}/booking")

    def forget(self, link: str) -> Forgotten:
        """Have everything erased that tells who the student is."""
        return self._read(Forgotten, "DELETE", f"me/{_part(link)}")

    def badges(self) -> list[BadgeKind]:
        """Return the badges that can be earned."""
        return _parsed(_BADGES, self._send("GET", "badges"))

    def badge(self, code: str) -> BadgeProof:
        """Return the badge that a code proves."""
        return self._read(BadgeProof, "GET", f"badges/{_part(code)}")

    def health(self) -> Health:
        """Return how the platform is doing, also when the API says that it can't serve."""
        try:
            answer = self._client.get("health")
        except httpx.HTTPError as error:
            raise _unreachable() from error
        return _parsed(TypeAdapter(Health), answer)

    def _read(self, model: type[T], method: str, path: str, **options: Any) -> T:
        return _parsed(TypeAdapter(model), self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        forwarded = {"X-Forwarded-For": self._visitor} if self._visitor and method != "GET" else {}
        headers = forwarded | options.get("headers", {})
        try:
            answer = self._client.request(method, f"v1/{path}", **options | {"headers": headers})
        except httpx.HTTPError as error:
            raise _unreachable() from error
        if answer.is_success:
            return answer
        problem = _parsed(TypeAdapter(Problem), answer)
        raise ApiError(problem.reason, problem.message, retry_at=problem.retry_at, fields=problem.fields)


def _parsed(adapter: TypeAdapter[T], answer: httpx.Response) -> T:
    try:
        return adapter.validate_json(answer.content)
    except ValidationError as error:
        raise ApiError(
            "answer_malformed", "The service answers something unexpected. Please try again later."
        ) from error


def _part(text: str) -> str:
    """Return `text` as one part of a path."""
    return quote(text, safe="")


def _unreachable() -> ApiError:
    return ApiError("api_unreachable", "The service can't be reached at the moment. Please try again soon.")

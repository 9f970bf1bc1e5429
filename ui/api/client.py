"""The API's typed client, for the catalog, the command line and other programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from ui.api.schemas import (
    BookingCreated,
    BookingRequest,
    BookingStatus,
    Brand,
    FieldProblem,
    Health,
    Problem,
    Workshop,
)

T = TypeVar("T")

_WORKSHOPS = TypeAdapter(list[Workshop])


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

    def brand(self) -> Brand:
        """Return how the programme presents itself."""
        return self._read(Brand, "GET", "brand")

    def workshops(self) -> list[Workshop]:
        """Return the workshops that can be booked."""
        return _parsed(_WORKSHOPS, self._send("GET", "workshops"))

    def workshop(self, key: str) -> Workshop:
        """Return one workshop that can be booked."""
        return self._read(Workshop, "GET", f"workshops/{quote(key, safe='')}")

    def book(self, wish: BookingRequest) -> BookingCreated:
        """Book a workshop; refused with workshop_full, already_booked, input_wrong and the like."""
        return self._read(BookingCreated, "POST", "bookings", json=wish.model_dump())

    def booking(self, reference: str) -> BookingStatus:
        """Return where a booking is."""
        return self._read(BookingStatus, "GET", f"bookings/{quote(reference, safe='')}")

    def end_booking(self, reference: str) -> BookingStatus:
        """End a booking; one that has ended stays as it is."""
        return self._read(BookingStatus, "DELETE", f"bookings/{quote(reference, safe='')}")

    def work(self, reference: str) -> bytes:
        """Return the zip of what the student did."""
        return self._send("GET", f"bookings/{quote(reference, safe='')}/work").content

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
        try:
            answer = self._client.request(method, f"v1/{path}", **options)
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


def _unreachable() -> ApiError:
    return ApiError("api_unreachable", "The service can't be reached at the moment. Please try again soon.")

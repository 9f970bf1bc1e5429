"""The one exception of the platform, and the problem found in somebody's input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class WodError(Exception):
    """Something that a person has to know.

    `message` says to the person what happened and what to do; `reason` is a short stable slug for
    metrics, API clients and tests; `detail` is for the log and may name machines and commands, but
    never holds a secret.
    """

    def __init__(self, message: str, *, reason: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.detail = detail


class Refused(WodError):
    """A request that the rules don't allow; asking again unchanged will not help before `retry_at`, if ever."""

    def __init__(self, message: str, *, reason: str, detail: str = "", retry_at: datetime | None = None) -> None:
        super().__init__(message, reason=reason, detail=detail)
        self.retry_at = retry_at


class StepFailed(WodError):
    """A step on a machine, the hub or the mail server failed; trying again may help."""


class Stale(WodError):
    """The work belongs to a lease or a seat generation that has passed to somebody else: stop at once.

    `generation` is the one that the machine serves, when it is the machine that says so.
    """

    def __init__(self, message: str, *, reason: str, detail: str = "", generation: int | None = None) -> None:
        super().__init__(message, reason=reason, detail=detail)
        self.generation = generation


class Severity(StrEnum):
    """How much a problem matters: an error keeps a workshop out of the catalog, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with an input file: where, what, and how to mend it.

    `line` and `column` count from 1; 0 means that the whole file is meant. `path` is relative to the
    folder that was read.
    """

    path: str
    line: int
    column: int
    message: str
    remedy: str
    severity: Severity = Severity.ERROR
    field: str = ""

    def __str__(self) -> str:
        place = self.path + (f":{self.line}:{self.column}" if self.line else "")
        return f"{place}: {self.severity}: {self.message} {self.remedy}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as plain JSON values."""
        return asdict(self)

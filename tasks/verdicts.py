"""What a check found out about a part of a stack, in a sentence for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How good it is: only what is bad keeps a stack from being well."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Verdict:
    """What was found: `subject` is a machine or an address, `remedy` what to do where something is wrong."""

    subject: str
    level: Level
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} {self.remedy}".rstrip()


def good(subject: str, message: str) -> Verdict:
    """Return that something is as it should be."""
    return Verdict(subject, Level.GOOD, message)


def warning(subject: str, message: str, remedy: str) -> Verdict:
    """Return that something will be wrong, or could not be told."""
    return Verdict(subject, Level.WARNING, message, remedy)


def bad(subject: str, message: str, remedy: str) -> Verdict:
    """Return that something is wrong."""
    return Verdict(subject, Level.BAD, message, remedy)


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return verdicts as a page, what is wrong first."""
    order = list(reversed(Level))
    shown = sorted(verdicts, key=lambda verdict: order.index(verdict.level))
    rows = (f"| {each.level} | {each.subject} | {each.message} | {each.remedy} |" for each in shown)
    return "\n".join(["| | | | |", "|---|---|---|---|", *rows])


_hear: ContextVar[Callable[[Verdict], None]] = ContextVar("hear_verdict", default=lambda verdict: None)


def hear_verdicts(hear: Callable[[Verdict], None]) -> None:
    """Have `hear` called for each verdict of the checks from here on, as it comes."""
    _hear.set(hear)


def tell_verdict(verdict: Verdict) -> None:
    """Tell whoever listens what was found."""
    _hear.get()(verdict)

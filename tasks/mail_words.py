"""Times and lengths in the words that a mail uses."""

from __future__ import annotations

from datetime import UTC, datetime

from models.rules.completion import completion_percent


def duration(hours: float) -> str:
    """Return a length of time in words: `30 minutes`, `1 hour`, `2 hours 30 minutes`, `14 days`."""
    seconds = round(hours * 3600)
    if seconds < 60:
        return _count(seconds, "second")
    minutes = round(seconds / 60)
    if minutes >= 48 * 60:
        return _count(round(minutes / (24 * 60)), "day")
    whole, rest = divmod(minutes, 60)
    return " ".join(_count(number, unit) for number, unit in ((whole, "hour"), (rest, "minute")) if number)


def moment(when: datetime) -> str:
    """Return a time zone aware moment in words, in UTC: `Monday 23 November 2026, 18:05 UTC`."""
    utc = when.astimezone(UTC)
    return f"{utc:%A} {utc.day} {utc:%B %Y, %H:%M} UTC"


def completion(executed: int, total: int) -> str:
    """Return how far a student got, in a sentence; empty when there was nothing to measure."""
    cells = _count(total, "code cell")
    if total <= 0:
        return ""
    if executed <= 0:
        return (
            f"You ran none of its {cells} this time. No harm done: it stays in the catalog, and you can take it"
            " again."
        )
    if executed >= total:
        return f"You ran all of its {cells}: the whole workshop."
    return f"You ran {executed} of its {cells}, that is {completion_percent(executed, total)}%."


def kept(days: float, until: datetime | None) -> str:
    """Return how long something is kept, to follow a verb: `for 14 days, until …`; empty when unknown."""
    parts = [f"for {duration(24 * days)}"] if days else []
    return ", ".join(parts + ([f"until {moment(until)}"] if until else []))


def shorten(text: str, limit: int) -> str:
    """Return `text`, cut to at most `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

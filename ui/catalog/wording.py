"""Text from elsewhere made safe to show, and times in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from html import escape
from zoneinfo import ZoneInfo

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$&^=@/])")


def as_html(text: str) -> str:
    """Return `text` so that HTML shows it as it is."""
    return escape(" ".join(text.split()))


def as_markdown(text: str) -> str:
    """Return `text` so that Markdown, as in labels of widgets, shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def hours(count: float) -> str:
    """Return a length such as `4 hours`, `1 hour` or `30 minutes`."""
    if 0 < count < 1:
        return counted(round(count * 60), "minute")
    return counted(count, "hour")


def counted(count: float, what: str) -> str:
    """Return a number of things such as `1 seat` or `2.5 hours`."""
    return f"{count:g} {what}" + ("" if count == 1 else "s")


def span(seconds: float) -> str:
    """Return a time that is left such as `3 h 20 min`, `12 min` or `45 s`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def clock(moment: datetime, zone_name: str | None, now: datetime) -> str:
    """Return when something is, in a person's own time zone: `15:40`, with the day when it isn't today."""
    zone = _zone(zone_name)
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    shown = f"{local:%H:%M}" if zone_name else f"{local:%H:%M} UTC"
    return shown if local.date() == today else f"{local:%A} {local.day} {local:%B}, {shown}"


def day(moment: datetime, zone_name: str | None) -> str:
    """Return which day a moment is in, in a person's own time zone: `23 November 2026`."""
    local = moment.astimezone(_zone(zone_name))
    return f"{local.day} {local:%B %Y}"


def icon(name: str) -> str:
    """Return a picture from the font of icons that Streamlit brings, unheard by screen readers."""
    return f'<span class="wod-icon" aria-hidden="true">{as_html(name)}</span>'


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # a browser may name one that this machine doesn't know
        return UTC

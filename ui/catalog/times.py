"""Moments in the time zone of the visitor's browser."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from ui.catalog.wording import as_html, clock, day, span


def at(moment: datetime) -> str:
    """Return when something is: `15:40`."""
    return clock(moment, st.context.timezone, datetime.now(UTC))


def on(moment: datetime) -> str:
    """Return which day something was: `23 November 2026`."""
    return day(moment, st.context.timezone)


def countdown(seconds: float) -> str:
    """Return the HTML of a time that is left, which ticks in the browser: `3:59:12`."""
    whole = max(0, int(seconds))
    return f'<span class="wod-clock" role="timer" data-wod-left="{whole}">{as_html(span(whole))}</span>'


def seconds_until(moment: datetime) -> float:
    """Return how many seconds away something is; negative when it is over."""
    return (moment - datetime.now(UTC)).total_seconds()


def until(moment: datetime) -> str:
    """Return when something will be and how long that is: `at about 15:40 (in 2 h 05 min)`."""
    left = seconds_until(moment)
    return f"at about {at(moment)} (in {span(left)})" if left >= 60 else "in less than a minute"

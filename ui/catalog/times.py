"""Moments in the time zone of the visitor's browser."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from ui.catalog.wording import clock, span


def at(moment: datetime) -> str:
    """Return when something is: `15:40`."""
    return clock(moment, st.context.timezone, datetime.now(UTC))


def until(moment: datetime) -> str:
    """Return when something will be and how long that is: `at about 15:40 (in 2 h 05 min)`."""
    left = (moment - datetime.now(UTC)).total_seconds()
    return f"at about {at(moment)} (in {span(left)})" if left >= 60 else "in less than a minute"

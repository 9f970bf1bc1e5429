"""Pages that follow something live, and the question before a session is ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from ui.api.client import ApiError
from ui.catalog.wording import as_markdown

T = TypeVar("T")


def follow(
    first: T,
    read: Callable[[], T],
    show: Callable[[T], None],
    *,
    signs: Callable[[T], object],
    poll_seconds: float | None,
) -> None:
    """Show what is read every `poll_seconds`, None: once; the whole page is drawn anew when its `signs` change.

    While the service is away the page stays, says so and tries again.
    """

    @st.fragment(run_every=poll_seconds)
    def live() -> None:
        try:
            now = read()
        except ApiError as error:
            if not error.is_outage:
                st.rerun()
            st.warning(
                "The service is out of order at the moment. This page tries again by itself.",
                icon=":material/cloud_off:",
            )
            return
        if signs(now) != signs(first):
            st.rerun()
        show(now)

    live()


@st.dialog("End your session?")
def confirm_end(end: Callable[[], object]) -> None:
    """Say what ending a session means, and call `end` if that is what the student wants."""
    st.write(
        "Your password stops working at once and your seat goes to somebody else. What you did is kept for"
        " download for some days."
    )
    with st.container(horizontal=True):
        if st.button("Yes, end it", type="primary"):
            try:
                end()
            except ApiError as error:
                st.error(as_markdown(error.message))
                return
            st.rerun()
        if st.button("No, go on"):
            st.rerun()

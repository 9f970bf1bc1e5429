"""The page of one booking: it follows live from the reservation to the end."""

from __future__ import annotations

import streamlit as st

from ui.api.schemas import BookingStatus
from ui.catalog.connection import client
from ui.catalog.following import confirm_end, follow
from ui.catalog.frame import BOOKING_IN_SESSION, Pages, keep_own_way, name_page, read_or_tell
from ui.catalog.session_status import show_status


def show_booking(pages: Pages) -> None:
    """Follow the booking that the address names with `?booking=REFERENCE`."""
    reference = st.query_params.get("booking", "")
    status = read_or_tell(
        lambda: client().booking(reference),
        pages,
        name="Booking",
        title="There is no such booking",
        lead="Open the link from your mail again, or book a workshop.",
    )
    if status is None:
        st.session_state.pop(BOOKING_IN_SESSION, None)
        return
    keep_own_way(BOOKING_IN_SESSION, reference)
    name_page(f"Booking: {status.workshop_title}")
    with st.container(key="slim"), st.container(border=True):
        follow(
            status,
            lambda: client().booking(reference),
            show_status,
            signs=_signs,
            poll_seconds=status.poll_seconds,
        )
        if status.can_end and st.button("End my booking", icon=":material/logout:"):
            confirm_end(lambda: client().end_booking(reference))
        if not status.can_end and status.state != "ending":
            st.page_link(pages["workshops"], label="Book another workshop", icon=":material/arrow_forward:")


def _signs(status: BookingStatus) -> object:
    """Return what the parts of the page that don't follow by themselves depend on."""
    return status.state, status.poll_seconds == 1

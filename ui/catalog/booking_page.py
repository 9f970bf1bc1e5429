"""The page of one booking: it follows live from the reservation to the end."""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import BookingStatus
from ui.catalog.connection import client
from ui.catalog.frame import BOOKING_IN_SESSION, Pages, keep_own_way, name_page, show_title
from ui.catalog.session_status import show_status
from ui.catalog.wording import as_markdown


def show_booking(pages: Pages) -> None:
    """Follow the booking that the address names with `?booking=REFERENCE`."""
    reference = st.query_params.get("booking", "")
    try:
        status = client().booking(reference)
    except ApiError as error:
        if error.is_outage:
            raise
        st.session_state.pop(BOOKING_IN_SESSION, None)
        name_page("Booking")
        show_title("There is no such booking", "Open the link from your mail again, or book a workshop.")
        st.page_link(pages["workshops"], label="All workshops", icon=":material/arrow_back:")
        return
    keep_own_way(BOOKING_IN_SESSION, reference)
    name_page(f"Booking: {status.workshop_title}")
    with st.container(key="slim"), st.container(border=True):
        _follow(status)
        if status.can_end and st.button("End my booking", icon=":material/logout:"):
            _confirm_end(reference)
        if not status.can_end and status.state != "ending":
            st.page_link(pages["workshops"], label="Book another workshop", icon=":material/arrow_forward:")


def _follow(first: BookingStatus) -> None:
    """Show a booking as it is now, again and again; the whole page is drawn anew when its state changes."""

    @st.fragment(run_every=first.poll_seconds)
    def live() -> None:
        try:
            status = client().booking(first.reference)
        except ApiError as error:
            if not error.is_outage:
                st.rerun()
            st.warning(
                "The service is out of order at the moment. This page tries again by itself.",
                icon=":material/cloud_off:",
            )
            return
        if (status.state, status.poll_seconds == 1) != (first.state, first.poll_seconds == 1):
            st.rerun()
        show_status(status)

    live()


@st.dialog("End this booking?")
def _confirm_end(reference: str) -> None:
    st.write(
        "Your password stops working at once and your seat goes to somebody else. What you did is kept for"
        " download for some days."
    )
    with st.container(horizontal=True):
        if st.button("Yes, end it", type="primary"):
            try:
                client().end_booking(reference)
            except ApiError as error:
                st.error(as_markdown(error.message))
                return
            st.rerun()
        if st.button("No, go on"):
            st.rerun()

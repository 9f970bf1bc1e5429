"""The page of one booking: it follows live from the reservation to the end."""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import BookingStatus
from ui.catalog.connection import client
from ui.catalog.frame import BOOKING_IN_SESSION, show_title
from ui.catalog.times import at
from ui.catalog.wording import as_html, as_markdown, span

_WAITING = {"reserved", "preparing"}
_OPEN = {"ready", "expiring"}
_GIVEN_UP = {"abandoning", "failed"}

_LEADS = {
    "reserved": "Your seat is taken. We are getting it ready; this takes seconds.",
    "preparing": "We are getting your seat ready; this takes seconds.",
    "ready": "Your seat is ready. Enjoy the workshop!",
    "expiring": "Your session ends soon. Save your work, and download what you want to keep.",
    "ending": "Your session is over. We are keeping your work for you and cleaning up.",
    "ended": "Your session is over. Thank you for taking part!",
    "abandoning": "Your seat could not be made ready. We are sorry.",
    "failed": "Your seat could not be made ready. We are sorry.",
}


def show_booking(workshops_page: st.Page) -> None:
    """Follow the booking that the address names with `?booking=REFERENCE`."""
    reference = st.query_params.get("booking", "")
    try:
        status = client().booking(reference)
    except ApiError as error:
        if error.is_outage:
            raise
        show_title("There is no such booking", "Open the link from your mail again, or book a workshop.")
        st.page_link(workshops_page, label="All workshops", icon=":material/arrow_back:")
        return
    st.session_state[BOOKING_IN_SESSION] = reference
    st.set_page_config(page_title=f"Booking: {status.workshop_title}")
    with st.container(key="slim"):
        _follow(status)
        if status.can_end and st.button("End my booking", icon=":material/logout:"):
            _confirm_end(reference)
        if not status.can_end and status.state != "ending":
            st.page_link(workshops_page, label="Book another workshop", icon=":material/arrow_forward:")


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
        _show_status(status)

    live()


def _show_status(status: BookingStatus) -> None:
    show_title(status.workshop_title, _LEADS[status.state])
    if status.notice:
        st.warning(as_markdown(status.notice), icon=":material/info:")
    if status.failure or status.state in _GIVEN_UP:
        _show_failure(status)
    if status.state in _WAITING or (status.state in _OPEN and not status.steps[-1].done):
        _show_steps(status)
    if status.state in _OPEN:
        _show_way_in(status)
    if status.completion or status.work_url or status.work_until:
        _show_result(status)


def _show_steps(status: BookingStatus) -> None:
    done = sum(step.done for step in status.steps)
    st.progress(done / len(status.steps))
    current = next((step.key for step in status.steps if not step.done), "")
    shown = "".join(
        f'<li class="{_mark(step.done, step.key == current)}">{as_html(step.title)}'
        f'<span class="wod-hidden">{": done" if step.done else ": to do"}</span></li>'
        for step in status.steps
    )
    st.html(f'<ol class="wod-steps" role="status">{shown}</ol>')


def _mark(is_done: bool, is_current: bool) -> str:
    return "wod-done" if is_done else "wod-current" if is_current else "wod-to-do"


def _show_way_in(status: BookingStatus) -> None:
    with st.container(key="way-in"):
        st.link_button(
            "Open JupyterLab", status.session_url, type="primary", icon=":material/rocket_launch:", width="stretch"
        )
    is_mailed = status.steps[-1].done
    mail = "Your password is in the mail to" if is_mailed else "Your password is on its way by mail to"
    address = f'<span class="wod-whole">{as_html(status.email_hint)}</span>'
    left = f"{span(status.seconds_left or 0)} left"
    until = f", until {at(status.ends_at)}" if status.ends_at else ""
    st.html(
        '<dl class="wod-session">'
        f"<div><dt>User name</dt><dd><code>{as_html(status.account)}</code></dd></div>"
        f"<div><dt>Password</dt><dd>{mail} {address}</dd></div>"
        f"<div><dt>Time</dt><dd><strong>{as_html(left)}</strong>{as_html(until)}</dd></div>"
        "</dl>"
    )


def _show_failure(status: BookingStatus) -> None:
    reason = status.failure or "Something went wrong on our side."
    st.error(
        as_markdown(f"{reason} Your booking does not count: you can book this or another workshop again at once."),
        icon=":material/error:",
    )


def _show_result(status: BookingStatus) -> None:
    if status.completion:
        done = status.completion
        st.metric("Completed", f"{done.percent} %", help=f"{done.cells_executed} of {done.cells_total} cells run.")
    if status.work_url and status.work_until:
        st.link_button("Download my work", status.work_url, icon=":material/download:", type="primary")
        st.caption(f"Your notebooks as you left them, as a zip file. It is kept until {at(status.work_until)}.")
    elif status.work_until:
        st.caption("Your work was kept for a while, and has been deleted.")


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

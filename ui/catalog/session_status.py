"""Where a session is, from the reservation of its seat to what came of it, as its student sees it."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from ui.api.schemas import BookingStatus
from ui.catalog.frame import show_heading, show_note, show_title
from ui.catalog.times import at, countdown
from ui.catalog.wording import as_html, as_markdown

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


def show_status(status: BookingStatus, *, is_whole_page: bool = True) -> None:
    """Show all that there is to say about a session now; it may be the whole page or a part of one."""
    (show_title if is_whole_page else show_heading)(status.workshop_title, _LEADS[status.state])
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
    if status.return_url:
        # Whoever leads students back is named: they came from there, and nobody else may take their place.
        label = as_markdown(f"Back to {urlsplit(status.return_url).hostname}")
        st.link_button(label, status.return_url, icon=":material/arrow_back:")


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
    left = countdown(status.seconds_left or 0)
    until = f", until {at(status.ends_at)}" if status.ends_at else ""
    st.html(
        '<dl class="wod-session">'
        f"<div><dt>User name</dt><dd><code>{as_html(status.account)}</code></dd></div>"
        f"<div><dt>Password</dt><dd>{mail} {address}</dd></div>"
        f"<div><dt>Time</dt><dd><strong>{left} left</strong>{as_html(until)}</dd></div>"
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
        show_note(f"Your notebooks as you left them, as a zip file. It is kept until {at(status.work_until)}.")
    elif status.work_until:
        show_note("Your work was kept for a while, and has been deleted.")

"""A student's own page, behind the link of each mail: the session, badges, earlier sessions, being forgotten."""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.api.own_schemas import Extension, OwnPage
from ui.catalog.connection import client
from ui.catalog.following import confirm_end, follow
from ui.catalog.frame import (
    FAREWELL_IN_SESSION,
    LINK_IN_SESSION,
    Pages,
    keep_own_way,
    name_page,
    read_or_tell,
    show_heading,
    show_note,
    show_nothing,
    show_title,
)
from ui.catalog.own_records import show_badges_of, show_history, show_places
from ui.catalog.session_status import show_status
from ui.catalog.wording import as_markdown, counted, hours

_QUIET_SECONDS = 60.0


def show_session(pages: Pages) -> None:
    """Show the page of the student whose mail the `?link=TOKEN` of the address came with."""
    link = st.query_params.get("link", "")
    own = read_or_tell(
        lambda: client().own_page(link), pages, name="My session", title="Your page can't be opened"
    )
    if own is None:
        st.session_state.pop(LINK_IN_SESSION, None)
        return
    keep_own_way(LINK_IN_SESSION, link)
    name_page("My session")
    with st.container(key="medium"):
        show_title(f"Hello {own.name}!" if own.name else "Hello!", own.email)
        with st.container(border=True, key="session"):
            follow(
                own,
                lambda: client().own_page(link),
                _show_session_now,
                signs=_signs,
                poll_seconds=_poll_seconds(own),
            )
            _show_actions(own, link, pages)
        if own.waiting:
            show_places(own.waiting, pages)
        show_badges_of(own.badges, pages)
        if own.history:
            show_history(own.history)
        _show_forgetting(own, link, pages)


def _poll_seconds(own: OwnPage) -> float:
    return (own.booking.poll_seconds if own.booking else None) or _QUIET_SECONDS


def _signs(own: OwnPage) -> tuple[object, ...]:
    """Return what the parts of the page that don't follow by themselves depend on."""
    booking = own.booking
    state = (booking.reference, booking.state, booking.poll_seconds == 1) if booking else ()
    return (state, own.extension, len(own.badges), len(own.history), [place.state for place in own.waiting])


def _show_session_now(own: OwnPage) -> None:
    if own.booking is None:
        show_nothing(
            "event_available", "You have no session at the moment", "Book a workshop, and it starts at once."
        )
        return
    show_status(own.booking, is_whole_page=False)
    if own.progress and own.progress.cells_total:
        done = own.progress
        cells = counted(done.cells_total, "cell")
        st.progress(done.percent / 100, text=as_markdown(f"You have run {done.cells_executed} of {cells}."))


def _show_actions(own: OwnPage, link: str, pages: Pages) -> None:
    if own.booking is None:
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.page_link(pages["workshops"], label="Choose a workshop", icon=":material/arrow_forward:")
        return
    with st.container(horizontal=True, key="actions"):
        if own.extension and own.extension.is_possible:
            label = f"{hours(own.extension.hours)} more".capitalize()
            if st.button(as_markdown(label), icon=":material/more_time:"):
                _extend(link)
        if own.booking.can_end and st.button("End now", icon=":material/logout:"):
            confirm_end(lambda: client().end_session(link))
    if own.extension:
        show_note(_about_extension(own.extension))


def _about_extension(extension: Extension) -> str:
    if not extension.is_possible:
        return f"Your session can't be made longer now. {extension.obstacle}"
    times = "once" if extension.left == 1 else f"{extension.left} times"
    return f"Is the time short? You can make your session {hours(extension.hours)} longer, {times}."


def _extend(link: str) -> None:
    try:
        client().extend_session(link)
    except ApiError as error:
        st.error(as_markdown(error.message), icon=":material/timer_off:")
        return
    st.rerun()


def _show_forgetting(own: OwnPage, link: str, pages: Pages) -> None:
    show_heading("Your data", "You can have everything erased that tells who you are.")
    if st.button("Forget me", icon=":material/person_remove:"):
        _confirm_forgetting(own, link, pages)


@st.dialog("Forget you for good?")
def _confirm_forgetting(own: OwnPage, link: str, pages: Pages) -> None:
    st.markdown(
        "- Your name, your address and your work are erased.\n"
        "- Your badges can't be proved any more, and places on waiting lists are given up.\n"
        "- A session under way ends at once.\n"
        "- Nobody can undo this."
    )
    with st.form("forgetting", border=False):
        typed = st.text_input("Type your e-mail address to confirm", key="forgetting-email", autocomplete="off")
        if not st.form_submit_button("Forget me for good", type="primary", icon=":material/delete_forever:"):
            return
    if (typed or "").strip().casefold() != own.email.casefold():
        st.error("This is not the address of this page. Nothing was changed.")
        return
    try:
        forgotten = client().forget(link)
    except ApiError as error:
        st.error(as_markdown(error.message))
        return
    st.session_state.clear()
    st.session_state[FAREWELL_IN_SESSION] = forgotten.message
    st.switch_page(pages["workshops"])

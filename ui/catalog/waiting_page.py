"""The page of a place in the line for a workshop: how many are before, and the seat when it is offered."""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.api.own_schemas import WaitingPlace
from ui.catalog.connection import client
from ui.catalog.following import follow
from ui.catalog.frame import BOOKING_IN_SESSION, Pages, name_page, read_or_tell, show_title
from ui.catalog.times import at, countdown, seconds_until, until
from ui.catalog.wording import as_html, as_markdown, hours

_LEADS = {
    "waiting": "You are on the waiting list. We write to you as soon as a seat is yours; you can close this page.",
    "offered": "A seat is yours, if you take it.",
    "booked": "You have taken your seat.",
    "left": "You are not on the waiting list any more.",
    "expired": "The seat was offered to you and not taken in time. It went to the next on the list.",
    "closed": "This workshop is in the catalog no more, so nobody waits for it any longer. We are sorry.",
}
_COUNTS = ("waiting", "offered")


def show_waiting(pages: Pages) -> None:
    """Follow the place that the address names with `?place=REFERENCE`."""
    reference = st.query_params.get("place", "")
    place = read_or_tell(
        lambda: client().waiting(reference),
        pages,
        name="Waiting list",
        title="There is no such place",
        lead="Open the link from your mail again, or choose a workshop.",
    )
    if place is None:
        return
    name_page("Waiting list")
    with st.container(key="slim"), st.container(border=True):
        follow(
            place,
            lambda: client().waiting(reference),
            _show_place,
            signs=lambda each: each.state,
            poll_seconds=place.poll_seconds,
        )
        _show_actions(place, pages)


def _show_place(place: WaitingPlace) -> None:
    show_title(place.workshop_title, _LEADS[place.state])
    facts = {}
    if place.state == "waiting":
        facts["Your place"] = f"<strong>{place.position}</strong>" + (
            " (you are next)" if place.position == 1 else ""
        )
        if place.next_free_at:
            facts["Next seat"] = f"free {as_html(until(place.next_free_at))}, at the latest"
    if place.state == "offered" and place.offer_until:
        left = countdown(seconds_until(place.offer_until))
        facts["Kept for you"] = f"<strong>{left}</strong>, until {as_html(at(place.offer_until))}"
    if place.state in _COUNTS:
        facts["Mail goes to"] = f'<span class="wod-whole">{as_html(place.email_hint)}</span>'
        facts["Session"] = as_html(hours(place.duration_hours))
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    if shown:
        st.html(f'<dl class="wod-session">{shown}</dl>')


def _show_actions(place: WaitingPlace, pages: Pages) -> None:
    if place.state == "offered":
        take = st.button("Take this seat", type="primary", icon=":material/bolt:", width="stretch", key="take")
        if take:
            _take(place, pages)
    if place.booking:
        st.page_link(
            pages["booking"],
            label="Go to my booking",
            icon=":material/arrow_forward:",
            query_params={"booking": place.booking},
        )
    if place.state in _COUNTS:
        label = "Decline the seat" if place.state == "offered" else "Leave the waiting list"
        if st.button(label, icon=":material/logout:"):
            _confirm_leaving(place)
    else:
        st.page_link(pages["workshops"], label="All workshops", icon=":material/arrow_forward:")


def _take(place: WaitingPlace, pages: Pages) -> None:
    try:
        created = client().take_offer(place.reference)
    except ApiError as error:
        when = f" Try again {until(error.retry_at)}." if error.retry_at else ""
        st.error(as_markdown(error.message + when), icon=":material/event_busy:")
        return
    st.session_state[BOOKING_IN_SESSION] = created.reference
    st.switch_page(pages["booking"], query_params={"booking": created.reference})


@st.dialog("Give up your place?")
def _confirm_leaving(place: WaitingPlace) -> None:
    st.write("It goes to whoever is next. You can join the waiting list again, at its end.")
    with st.container(horizontal=True):
        if st.button("Yes, give it up", type="primary"):
            try:
                client().leave_line(place.reference)
            except ApiError as error:
                st.error(as_markdown(error.message))
                return
            st.rerun()
        if st.button("No, stay"):
            st.rerun()

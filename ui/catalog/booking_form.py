"""The form that books a workshop, or joins the line for it, and what it says when that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.api.client import ApiError
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest, WorkshopDetails
from ui.catalog.connection import brand, client
from ui.catalog.frame import BOOKING_IN_SESSION, LINK_IN_SESSION, Pages, show_heading
from ui.catalog.times import until
from ui.catalog.wording import as_html, as_markdown, hours

_ADVICE = {
    "workshop_full": "The next seat comes free {when}. Come back then, or choose another workshop now.",
    "already_booked": "The session under way ends {when}.",
}
_OWN = {"already_booked", "already_waiting"}


def show_form(workshop: WorkshopDetails, pages: Pages) -> None:
    """Show the form, and lead to the page of the booking, or of the place in the line, when it was granted."""
    joins_line = not workshop.free_seats and workshop.can_wait
    with st.form("booking", border=True):
        show_heading("Join the waiting list" if joins_line else "Book your seat")
        if not workshop.free_seats:
            st.warning(_full(workshop, joins_line=joins_line), icon=":material/hourglass_top:")
        answers = _ask(workshop)
        label, icon = ("Join the waiting list", "group_add") if joins_line else ("Book my seat", "bolt")
        pressed = st.form_submit_button(label, type="primary", width="stretch", icon=f":material/{icon}:")
        outcome = st.empty()
    if not pressed:
        return
    if not answers.accepts_terms:
        _tell(answers.slots["accept_terms"], "Please accept the terms to go on.")
        return
    try:
        if joins_line:
            place = client().wait(workshop.key, answers.place())
            st.switch_page(pages["waiting"], query_params={"place": place.reference})
        created = client().book(answers.booking(workshop.key))
    except ApiError as error:
        if _is_other_form_due(error, workshop):
            st.rerun()
        _show_refusal(error, answers.slots, outcome, pages)
        return
    st.session_state[BOOKING_IN_SESSION] = created.reference
    st.switch_page(pages["booking"], query_params={"booking": created.reference})


class _Answers:
    """What somebody typed, and a place below each field for what is wrong with it."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.slots: dict[str, DeltaGenerator] = {}
        self.accepts_terms = False

    def booking(self, workshop_key: str) -> BookingRequest:
        """Return what to ask of the API for a seat; the terms have to be accepted."""
        return BookingRequest(workshop=workshop_key, accept_terms=True, **self.texts)

    def place(self) -> WaitingRequest:
        """Return what to ask of the API for a place in the line; the terms have to be accepted."""
        return WaitingRequest(accept_terms=True, **self.texts)


def _ask(workshop: WorkshopDetails) -> _Answers:
    answers = _Answers()
    fields: dict[str, tuple[str, str, Literal["default", "email"]]] = {
        "name": ("Your name", "name", "default"),
        "email": ("Your e-mail address", "email", "email"),
        "company": ("Company (if you like)", "organization", "default"),
    }
    for field, (label, autocomplete, kind) in fields.items():
        answers.texts[field] = (
            st.text_input(
                label,
                key=f"booking-{field}",
                autocomplete=autocomplete,
                type=kind,
                icon="",
                validate="",
                persist_state="session",
            )
            or ""
        )
        answers.slots[field] = st.empty()
    # A link in the label would be read out as the Markdown that it is.
    answers.accepts_terms = st.checkbox(_terms(workshop), key="booking-terms")
    answers.slots["accept_terms"] = st.empty()
    address = as_html(brand().terms_url or "terms")
    st.html(f'<a class="wod-terms" href="{address}" target="_blank">Read the terms and conditions</a>')
    return answers


def _full(workshop: WorkshopDetails, *, joins_line: bool) -> str:
    when = f" The next one comes free {until(workshop.next_free_at)}." if workshop.next_free_at else ""
    if not joins_line:
        return as_markdown(f"All seats are taken at the moment.{when}")
    before = f" Waiting now: {workshop.waiting}." if workshop.waiting else ""
    offer = " As soon as a seat is yours we write to you, and keep it for you for a while."
    return as_markdown(f"All seats are taken at the moment.{when}{before}{offer}")


def _terms(workshop: WorkshopDetails) -> str:
    """Return what a student agrees to, with this workshop's own hours."""
    time = as_markdown(hours(workshop.duration_hours))
    return (
        f"I have {time} from the moment my seat is ready. Then my account is erased, and what I did is kept for"
        " download for a while. I accept the terms and conditions."
    )


def _is_other_form_due(error: ApiError, workshop: WorkshopDetails) -> bool:
    """Tell whether somebody took the last seat, or gave one back, while this visitor filled the form in."""
    if error.reason not in ("workshop_full", "seats_free"):
        return False
    now = client().workshop(workshop.key)
    return (now.can_wait and not now.free_seats) != (workshop.can_wait and not workshop.free_seats)


def _show_refusal(
    error: ApiError, slots: Mapping[str, DeltaGenerator], outcome: DeltaGenerator, pages: Pages
) -> None:
    others = []
    for problem in error.fields:
        if problem.field in slots:
            _tell(slots[problem.field], problem.message)
        else:
            others.append(problem.message)
    if error.fields and not others:
        return
    advice = _ADVICE.get(error.reason, "") if error.retry_at else ""
    when = until(error.retry_at) if error.retry_at else ""
    words = [*(others or [error.message]), advice.format(when=when)]
    outcome.error(as_markdown(" ".join(word for word in words if word)), icon=":material/event_busy:")
    if error.reason in _OWN:
        _show_own_way(pages)


def _show_own_way(pages: Pages) -> None:
    """Lead to the booking that is in the way, as far as this browser knows it; the refusal names its mail."""
    link, reference = st.session_state.get(LINK_IN_SESSION), st.session_state.get(BOOKING_IN_SESSION)
    if link:
        st.page_link(pages["session"], label="Go to my session", query_params={"link": link})
    elif reference:
        st.page_link(pages["booking"], label="See or end my booking", query_params={"booking": reference})


def _tell(slot: DeltaGenerator, message: str) -> None:
    slot.html(f'<p class="wod-problem" role="alert">{as_html(message)}</p>')

"""The form that books a workshop, and what it says when a booking is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.api.client import ApiError
from ui.api.schemas import BookingRequest, Workshop
from ui.catalog.connection import brand, client
from ui.catalog.frame import BOOKING_IN_SESSION
from ui.catalog.times import until
from ui.catalog.wording import as_html, as_markdown, hours

_ADVICE = {
    "workshop_full": "The next seat comes free {when}. Come back then, or choose another workshop now.",
    "already_booked": "The session under way ends {when}.",
}


def show_form(workshop: Workshop, booking_page: st.Page) -> None:
    """Show the form, and lead to the booking's own page when it was granted."""
    with st.form("booking", border=True):
        st.html('<h2 class="wod-heading">Book your seat</h2>')
        if not workshop.free_seats:
            st.warning("All seats are taken at the moment.", icon=":material/hourglass_top:")
        answers = _ask(workshop)
        slots = answers.slots
        pressed = st.form_submit_button("Book my seat", type="primary", width="stretch", icon=":material/bolt:")
        outcome = st.empty()
    if not pressed:
        return
    if not answers.accepts_terms:
        _tell(slots["accept_terms"], "Please accept the terms to book.")
        return
    try:
        created = client().book(answers.request(workshop.key))
    except ApiError as error:
        _show_refusal(error, slots, outcome)
        return
    st.session_state[BOOKING_IN_SESSION] = created.reference
    st.switch_page(booking_page, query_params={"booking": created.reference})


class _Answers:
    """What somebody typed, and a place below each field for what is wrong with it."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.slots: dict[str, DeltaGenerator] = {}
        self.accepts_terms = False

    def request(self, workshop_key: str) -> BookingRequest:
        """Return what to ask of the API; the terms have to be accepted."""
        return BookingRequest(workshop=workshop_key, accept_terms=True, **self.texts)


def _ask(workshop: Workshop) -> _Answers:
    answers = _Answers()
    fields: dict[str, tuple[str, str, Literal["default", "email"]]] = {
        "name": ("Your name", "name", "default"),
        "email": ("Your e-mail address", "email", "email"),
        "company": ("Company (if you like)", "organization", "default"),
    }
    for field, (label, autocomplete, kind) in fields.items():
        answers.texts[field] = (
            st.text_input(
                label, key=f"booking-{field}", autocomplete=autocomplete, type=kind, icon="", validate=""
            )
            or ""
        )
        answers.slots[field] = st.empty()
    answers.accepts_terms = st.checkbox(_terms(workshop), key="booking-terms")
    answers.slots["accept_terms"] = st.empty()
    return answers


def _terms(workshop: Workshop) -> str:
    """Return what a student agrees to, with this workshop's own hours."""
    address = brand().terms_url
    terms = f"[terms and conditions]({address})" if address else "terms"
    time = as_markdown(hours(workshop.duration_hours))
    return (
        f"I have {time} from the moment my seat is ready. Then my account is erased, and what I did is kept for"
        f" download for a while. I accept the {terms}."
    )


def _show_refusal(error: ApiError, slots: Mapping[str, DeltaGenerator], outcome: DeltaGenerator) -> None:
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


def _tell(slot: DeltaGenerator, message: str) -> None:
    slot.html(f'<p class="wod-problem" role="alert">{as_html(message)}</p>')

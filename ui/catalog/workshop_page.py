"""The page of one workshop: what it is, who presents it, and the form to book it."""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import Workshop
from ui.catalog.booking_form import show_form
from ui.catalog.cards import facts_html, picture_html, presenter_html
from ui.catalog.connection import client
from ui.catalog.frame import show_title
from ui.catalog.wording import as_html


def show_workshop(pages: dict[str, st.Page]) -> None:
    """Show the workshop that the address names with `?workshop=KEY`."""
    try:
        workshop = client().workshop(st.query_params.get("workshop", ""))
    except ApiError as error:
        if error.is_outage:
            raise
        _show_unknown(pages["workshops"])
        return
    st.set_page_config(page_title=workshop.title)
    with st.container(key="narrow"):
        st.page_link(pages["workshops"], label="All workshops", icon=":material/arrow_back:")
        about, form = st.columns([3, 2], gap="large")
        with about:
            _show_about(workshop)
        with form:
            show_form(workshop, pages["booking"])


def _show_about(workshop: Workshop) -> None:
    st.html(picture_html(workshop))
    show_title(workshop.title)
    st.html(facts_html(workshop) + presenter_html(workshop))
    paragraphs = [part for part in workshop.description.split("\n\n") if part.strip()]
    st.html("".join(f"<p>{as_html(part)}</p>" for part in paragraphs) or "<p></p>")
    if workshop.replay_link:
        st.link_button("Watch the replay", workshop.replay_link, icon=":material/play_circle:")


def _show_unknown(workshops_page: st.Page) -> None:
    show_title("This workshop is not offered", "It may have been renamed, or taken out of the catalog.")
    st.page_link(workshops_page, label="All workshops", icon=":material/arrow_back:")

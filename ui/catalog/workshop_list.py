"""The first page: all workshops as cards, searched while one types."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import Workshop
from ui.catalog.cards import show_card
from ui.catalog.connection import show_outage, workshops
from ui.catalog.frame import show_title
from ui.catalog.wording import as_markdown

# Cards are cheap, but not hundreds of them at once: a browser on a phone should show the first in no time.
_CARDS_AT_ONCE = 24
_ALL = "All"


def show_workshops(workshop_page: st.Page) -> None:
    """Show what can be booked."""
    show_title(
        "Learn by doing",
        "Book a workshop, and a private JupyterLab with its notebooks is ready in seconds. All it takes is a"
        " browser and an e-mail address.",
    )

    @st.fragment
    def browse() -> None:
        try:
            offered = workshops()
        except ApiError:
            show_outage()
            return
        found = _asked_for(offered)
        _show_cards(found, workshop_page, is_empty_catalog=not offered)

    browse()


def matching(offered: Sequence[Workshop], words: str, category: str | None) -> list[Workshop]:
    """Return the workshops of a category that have every word somewhere in what is said about them."""
    wanted = words.casefold().split()
    return [
        workshop
        for workshop in offered
        if (category is None or category in workshop.category)
        and all(word in _said_about(workshop) for word in wanted)
    ]


def _asked_for(offered: Sequence[Workshop]) -> list[Workshop]:
    categories = sorted({name for workshop in offered for name in workshop.category if name.strip()})
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        words = st.text_input(
            "Search workshops",
            type="search",
            live=True,  # a length of one's own would load pandas: 80 MB
            max_chars=100,
            placeholder="Search by title, topic or presenter",
            label_visibility="collapsed",
            key="search",
            width=420,
        )
        chosen: str | None = None
        if len(categories) > 1:
            chosen = st.pills(
                "Category",
                [_ALL, *categories],
                default=_ALL,
                required=True,
                format_func=as_markdown,
                label_visibility="collapsed",
                key="category",
            )
    return matching(offered, words or "", None if chosen in (None, _ALL) else chosen)


def _show_cards(found: Sequence[Workshop], workshop_page: st.Page, *, is_empty_catalog: bool) -> None:
    if is_empty_catalog:
        st.info("There are no workshops yet. Please come back soon.", icon=":material/event_upcoming:")
        return
    if not found:
        st.info("No workshop is like that. Try fewer words, or another category.", icon=":material/search_off:")
        return
    shown = st.session_state.setdefault("cards_shown", _CARDS_AT_ONCE)
    with st.container(key="cards"):
        for index, workshop in enumerate(found[:shown]):
            show_card(workshop, workshop_page, index)
    if len(found) > shown and st.button(f"Show more of {len(found)} workshops", width="stretch"):
        st.session_state["cards_shown"] = shown + _CARDS_AT_ONCE
        st.rerun(scope="fragment")


def _said_about(workshop: Workshop) -> str:
    parts = (workshop.title, workshop.description, workshop.presenter, workshop.key, *workshop.category)
    return " ".join(parts).casefold()

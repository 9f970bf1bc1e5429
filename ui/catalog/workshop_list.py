"""The first page: all workshops as cards, searched while one types."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import Workshop
from ui.catalog.cards import show_card
from ui.catalog.connection import brand, show_outage, workshops
from ui.catalog.frame import FAREWELL_IN_SESSION, show_nothing
from ui.catalog.selection import ALL, ORDERS, Selection, categories, durations, kinds, select
from ui.catalog.wording import as_markdown, counted

# Cards are cheap, but not hundreds of them at once: a browser on a phone should show the first in no time.
_CARDS_AT_ONCE = 24

# The names of the filters, in the address too, and what each is when nothing is asked for.
_FILTERS = {"search": "", "show": ALL, "category": None, "length": None, "kind": None, "free": False}


def show_workshops(workshop_page: st.Page) -> None:
    """Show what can be booked."""
    st.set_page_config(page_title=brand().name)
    farewell = st.session_state.pop(FAREWELL_IN_SESSION, "")
    if farewell:
        st.success(as_markdown(f"{farewell} All the best!"), icon=":material/waving_hand:")
    _show_welcome()

    @st.fragment
    def browse() -> None:
        try:
            offered = workshops()
        except ApiError:
            show_outage()
            return
        wish = _ask(offered)
        _show_found(select(offered, wish), wish, workshop_page, is_empty_catalog=not offered)

    browse()


def _show_welcome() -> None:
    steps = (
        ("Choose", "a workshop that you like"),
        ("Book", "with your e-mail address, no account"),
        ("Learn", "in a JupyterLab of your own, seconds later"),
    )
    shown = "".join(f"<li><span><strong>{step}</strong> {words}</span></li>" for step, words in steps)
    st.html(
        '<section class="wod-welcome"><h1 class="wod-title">Learn by doing</h1>'
        '<p class="wod-lead">Hands-on workshops in notebooks. All it takes is a browser.</p>'
        f"<ol>{shown}</ol></section>"
    )


def _ask(offered: Sequence[Workshop]) -> Selection:
    with st.container(key="filters", horizontal=True, vertical_alignment="center"):
        words = st.text_input(
            "Search workshops",
            type="search",
            live=True,  # a length of one's own would load pandas: 80 MB
            max_chars=100,
            placeholder="Search by title, topic or presenter",
            label_visibility="collapsed",
            icon=":material/search:",
            key="search",
            bind="query-params",
            on_change=_show_first_cards,
        )
        order = st.segmented_control(
            "Show",
            ORDERS,
            default=ALL,
            required=True,
            label_visibility="collapsed",
            key="show",
            bind="query-params",
            on_change=_show_first_cards,
        )
        category = _choice("category", "Any category", categories(offered))
        length = _choice("length", "Any length", durations(offered))
        kind = _choice("kind", "Any kind", kinds(offered))
        only_free = st.toggle(
            "Free seats only", key="free", bind="query-params", on_change=_show_first_cards, width="content"
        )
    return Selection(words or "", order or ALL, category, length, kind, only_free)


def _choice(name: str, otherwise: str, options: Sequence[str]) -> str:
    if not options:
        return ""
    chosen = st.selectbox(
        otherwise,
        options,
        index=None,
        placeholder=otherwise,
        label_visibility="collapsed",
        key=name,
        width=190,
        bind="query-params",
        on_change=_show_first_cards,
    )
    return chosen or ""


def _show_first_cards() -> None:
    st.session_state["cards_shown"] = _CARDS_AT_ONCE


def _clear() -> None:
    st.session_state.update({name: unset for name, unset in _FILTERS.items() if name in st.session_state})
    _show_first_cards()


def _show_found(
    found: Sequence[Workshop], wish: Selection, workshop_page: st.Page, *, is_empty_catalog: bool
) -> None:
    if is_empty_catalog:
        show_nothing("event_upcoming", "There are no workshops yet", "Please come back soon.")
        return
    if not found:
        show_nothing("search_off", "No workshop is like that", "Try fewer words, or leave a filter out.")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("Show all workshops", on_click=_clear, icon=":material/restart_alt:")
        return
    if not wish.is_everything:
        st.html(f'<p class="wod-count" role="status">{counted(len(found), "workshop")} found</p>')
    shown = st.session_state.setdefault("cards_shown", _CARDS_AT_ONCE)
    with st.container(key="cards"):
        for index, workshop in enumerate(found[:shown]):
            show_card(workshop, workshop_page, index)
    if len(found) > shown:
        more = f"Show more of {len(found)} workshops"
        if st.button(as_markdown(more), width="stretch", icon=":material/expand_more:"):
            st.session_state["cards_shown"] = shown + _CARDS_AT_ONCE
            st.rerun(scope="fragment")

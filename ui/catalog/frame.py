"""What stands around every page: the look, the header and the footer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import streamlit as st

from ui.api.client import ApiError
from ui.api.schemas import Brand
from ui.catalog.connection import brand
from ui.catalog.wording import as_html, as_markdown, icon

BOOKING_IN_SESSION = "booking_reference"
LINK_IN_SESSION = "own_link"
FAREWELL_IN_SESSION = "farewell"

T = TypeVar("T")
Pages = Mapping[str, st.Page]

_STYLE = Path(__file__).with_name("style.css")
_SCRIPT = Path(__file__).with_name("page.js").read_text()
_WAYS_BACK = {"workshops": "All workshops", "badges": "All badges"}
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


def apply_style() -> None:
    """Give the page its look, and what it does in the browser alone."""
    st.html(_STYLE)
    with st.container(key="script"):
        st.html(f"<script>{_SCRIPT}</script>", unsafe_allow_javascript=True)


def name_page(title: str) -> None:
    """Name the page in the browser's tab and history."""
    st.set_page_config(page_title=f"{title} · {brand().name}")


def show_header(programme: Brand, pages: Pages, *, has_replays: bool) -> None:
    """Show whose catalog this is, and the ways to the other pages."""
    st.html(f"<style>{_accent(programme)}</style>")
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        with st.container(horizontal=True, vertical_alignment="center", key="home", width="content"):
            if programme.logo:
                st.html(f'<img class="wod-logo" src="{as_html(programme.logo)}" alt="">', width="content")
            st.page_link(pages["workshops"], label=f"**{as_markdown(programme.name)}**")
        with st.container(horizontal=True, vertical_alignment="center", key="ways", width="content"):
            st.page_link(pages["workshops"], label="Workshops")
            if has_replays:
                st.page_link(pages["replays"], label="Replays")
            st.page_link(pages["badges"], label="Badges")
            _show_own_way(pages)


def _show_own_way(pages: Pages) -> None:
    link, reference = st.session_state.get(LINK_IN_SESSION), st.session_state.get(BOOKING_IN_SESSION)
    if link:
        icon = ":material/account_circle:"
        st.page_link(pages["session"], label="My session", icon=icon, query_params={"link": link})
    elif reference:
        icon = ":material/confirmation_number:"
        st.page_link(pages["booking"], label="My booking", icon=icon, query_params={"booking": reference})


def show_footer(programme: Brand, pages: Pages) -> None:
    """Show who runs the programme, and where its terms and its community are."""
    with st.container(horizontal=True, vertical_alignment="center", key="footer"):
        links = {programme.owner: programme.url, "Questions? Chat": programme.chat_url}
        if programme.terms_url:
            links["Terms and conditions"] = programme.terms_url
        shown = "".join(
            f'<li><a href="{as_html(address)}" target="_blank" rel="noopener noreferrer">{as_html(label)}</a></li>'
            for label, address in links.items()
            if address
        )
        owner = "" if programme.url else f"<li>{as_html(programme.owner)}</li>"
        st.html(f'<footer class="wod-footer"><ul>{owner}{shown}</ul></footer>', width="content")
        if not programme.terms_url:
            st.page_link(pages["terms"], label="Terms and conditions")


def keep_own_way(name: str, value: str) -> None:
    """Keep what leads to a page that only this visitor may know, and have the header show the way."""
    if st.session_state.get(name) != value:
        st.session_state[name] = value
        st.rerun()


def show_title(text: str, lead: str = "") -> None:
    """Show the headline of a page, as the plain text that it is, with a sentence below."""
    below = f'<p class="wod-lead">{as_html(lead)}</p>' if lead else ""
    st.html(f'<h1 class="wod-title">{as_html(text)}</h1>{below}')


def show_way_back(pages: Pages, to: str = "workshops") -> None:
    """Show the way back to a page that lists things."""
    st.page_link(pages[to], label=_WAYS_BACK[to], icon=":material/arrow_back:")


def read_or_tell(
    read: Callable[[], T], pages: Pages, *, name: str, title: str, lead: str = "", back: str = "workshops"
) -> T | None:
    """Return what an address names; None after having shown that there is no such thing, and the way back.

    Without a `lead`, the reason of the refusal stands below the title.

    Raises:
        ApiError: the service is away.

    """
    try:
        return read()
    except ApiError as error:
        if error.is_outage:
            raise
        name_page(name)
        show_title(title, lead or error.message)
        show_way_back(pages, back)
        return None


def show_heading(text: str, lead: str = "") -> None:
    """Show the headline of a part of a page, with a sentence below."""
    below = f'<p class="wod-below">{as_html(lead)}</p>' if lead else ""
    st.html(f'<h2 class="wod-heading">{as_html(text)}</h2>{below}')


def show_note(text: str) -> None:
    """Show a remark in small letters, dark enough to be read."""
    st.html(f'<p class="wod-note">{as_html(text)}</p>')


def show_nothing(icon_name: str, what: str, then: str) -> None:
    """Show that there is nothing to show, and what to do."""
    st.html(
        f'<div class="wod-nothing" role="status">{icon(icon_name)}<strong>{as_html(what)}</strong>'
        f"<span>{as_html(then)}</span></div>"
    )


def _accent(programme: Brand) -> str:
    light, dark = (
        color if _COLOR.fullmatch(color) else "currentColor"
        for color in (programme.link_color, programme.dark_link_color)
    )
    return f":root {{ --wod-accent-light: {light}; --wod-accent-dark: {dark} }}"

"""What stands around every page: the look, the header and the footer."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from ui.api.schemas import Brand
from ui.catalog.wording import as_html, as_markdown

BOOKING_IN_SESSION = "booking_reference"

_STYLE = Path(__file__).with_name("style.css")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


def apply_style() -> None:
    """Give the page its look."""
    st.html(_STYLE)


def show_header(brand: Brand, pages: dict[str, st.Page]) -> None:
    """Show whose catalog this is, and the way back to one's own booking."""
    st.html(f"<style>{_accent(brand)}</style>")
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        if brand.logo:
            st.html(f'<img class="wod-logo" src="{as_html(brand.logo)}" alt="">', width="content")
        st.page_link(pages["workshops"], label=f"**{as_markdown(brand.name)}**")
        reference = st.session_state.get(BOOKING_IN_SESSION)
        if reference:
            st.page_link(
                pages["booking"],
                label="My booking",
                icon=":material/confirmation_number:",
                query_params={"booking": reference},
            )


def show_footer(brand: Brand) -> None:
    """Show who runs the programme, and where its terms and its community are."""
    links = {brand.owner: brand.url, "Terms and conditions": brand.terms_url, "Questions? Chat": brand.chat_url}
    shown = "".join(
        f'<li><a href="{as_html(address)}" target="_blank" rel="noopener noreferrer">{as_html(label)}</a></li>'
        for label, address in links.items()
        if address
    )
    owner = "" if brand.url else f"<li>{as_html(brand.owner)}</li>"
    st.html(f'<footer class="wod-footer"><ul>{owner}{shown}</ul></footer>')


def show_title(text: str, lead: str = "") -> None:
    """Show the headline of a page, as the plain text that it is, with a sentence below."""
    below = f'<p class="wod-lead">{as_html(lead)}</p>' if lead else ""
    st.html(f'<h1 class="wod-title">{as_html(text)}</h1>{below}')


def _accent(brand: Brand) -> str:
    light, dark = (
        color if _COLOR.fullmatch(color) else "currentColor" for color in (brand.link_color, brand.dark_link_color)
    )
    return f":root {{ --wod-accent-light: {light}; --wod-accent-dark: {dark} }}"

"""The page of one workshop: what it is, who presents it, and the form to book it."""

from __future__ import annotations

import streamlit as st

from ui.api.schemas import WorkshopDetails
from ui.catalog.booking_form import show_form
from ui.catalog.cards import categories_html, facts_html, marks_html, picture_html, presenter_html
from ui.catalog.connection import client
from ui.catalog.frame import Pages, name_page, read_or_tell, show_heading, show_title, show_way_back
from ui.catalog.pictures import medal
from ui.catalog.replays import show_replay
from ui.catalog.sharing import show_copy_link
from ui.catalog.wording import as_html


def show_workshop(pages: Pages) -> None:
    """Show the workshop that the address names with `?workshop=KEY`."""
    workshop = read_or_tell(
        lambda: client().workshop(st.query_params.get("workshop", "")),
        pages,
        name="Not offered",
        title="This workshop is not offered",
        lead="It may have been renamed, or taken out of the catalog.",
    )
    if workshop is None:
        return
    name_page(workshop.title)
    show_way_back(pages)
    # On a wide screen the form stands beside the rest; on a phone it comes before the long text.
    with st.container(key="workshop"):
        with st.container(key="about"):
            _show_about(workshop)
        with st.container(key="seat"):
            show_form(workshop, pages)
        with st.container(key="more"):
            _show_more(workshop)


def _show_about(workshop: WorkshopDetails) -> None:
    st.html(f'<div class="wod-picture-frame">{picture_html(workshop)}{marks_html(workshop)}</div>')
    show_title(workshop.title)
    st.html(categories_html(workshop) + facts_html(workshop) + presenter_html(workshop))
    paragraphs = [part for part in workshop.description.split("\n\n") if part.strip()]
    shown = "".join(f"<p>{as_html(part)}</p>" for part in paragraphs)
    st.html(f'<div class="wod-description">{shown or "<p></p>"}</div>')
    show_copy_link(workshop.share_url, "Copy link")


def _show_more(workshop: WorkshopDetails) -> None:
    if workshop.replay_link:
        show_heading("Replay")
        show_replay(workshop)
    show_heading("A badge for those who take part")
    address = workshop.badge_image or medal(workshop.title)
    st.html(
        f'<div class="wod-reward"><img src="{as_html(address)}" alt="" loading="lazy">'
        "<p>When your session ends you get a badge for what you did, with a link that proves it to anybody you"
        " show it to.</p></div>"
    )
    if workshop.readme:
        show_heading("From the author", "The first page of the notebooks")
        with st.container(key="readme", border=True):
            st.markdown(workshop.readme)

"""What a student has come to: places in lines, badges, earlier sessions."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.api.own_schemas import Badge, PastBooking, WaitingPlace
from ui.catalog.frame import Pages, show_heading
from ui.catalog.pictures import medal
from ui.catalog.sharing import share_html
from ui.catalog.times import at, on
from ui.catalog.wording import as_html, as_markdown, icon


def show_places(places: Sequence[WaitingPlace], pages: Pages) -> None:
    """Show the lines that a student stands in."""
    show_heading("Waiting lists")
    for place in places:
        where = "A seat is yours, if you take it" if place.state == "offered" else f"Number {place.position}"
        st.page_link(
            pages["waiting"],
            label=f"**{as_markdown(place.workshop_title)}** · {as_markdown(where)}",
            icon=":material/hourglass_top:",
            query_params={"place": place.reference},
        )


def show_badges_of(badges: Sequence[Badge], pages: Pages) -> None:
    """Show the badges that a student has, each with the ways to show it to others."""
    show_heading("Your badges")
    if not badges:
        st.page_link(pages["badges"], label="None yet: see which there are", icon=":material/military_tech:")
        return
    st.html(f'<ul class="wod-badges">{"".join(_badge_html(badge) for badge in badges)}</ul>')


def _badge_html(badge: Badge) -> str:
    address = badge.image or medal(badge.title)
    return (
        f'<li><a class="wod-badge-picture" href="{as_html(badge.proof_url)}" aria-label="Proof of the badge'
        f' {as_html(badge.title)}"><img src="{as_html(address)}" alt="" loading="lazy"></a>'
        f'<strong>{as_html(badge.title)}</strong><span class="wod-soft">{as_html(on(badge.earned_at))}</span>'
        f"{share_html(badge.share_url, f'I have earned the badge “{badge.title}”.')}</li>"
    )


def show_history(past: Sequence[PastBooking]) -> None:
    """Show the sessions that are over, with the work that can still be fetched."""
    show_heading("Earlier sessions")
    st.html(f'<ul class="wod-history">{"".join(_past_html(each) for each in past)}</ul>')


def _past_html(past: PastBooking) -> str:
    if past.state == "failed":
        came_of_it = "could not be made ready"
    elif past.completion and past.completion.cells_total:
        came_of_it = f"{past.completion.percent} % done"
    else:
        came_of_it = ""
    facts = " · ".join(filter(None, (on(past.created_at), came_of_it)))
    work = ""
    if past.work_url and past.work_until:
        work = (
            f'<a class="wod-small-button" href="{as_html(past.work_url)}" aria-label="Download my work of'
            f' {as_html(past.workshop_title)}">{icon("download")}My work</a>'
            f'<span class="wod-soft">until {as_html(at(past.work_until))}</span>'
        )
    return (
        f"<li><div><strong>{as_html(past.workshop_title)}</strong>"
        f'<span class="wod-soft">{as_html(facts)}</span></div>'
        f'<div class="wod-work">{work}</div></li>'
    )

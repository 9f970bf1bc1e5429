"""The look of a workshop: its card in the list, and the facts that card and page share."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from ui.api.schemas import Workshop
from ui.catalog.pictures import picture, portrait
from ui.catalog.wording import as_html, as_markdown, hours

_DESCRIPTION_CHARACTERS = 150

# What stays as it is in an address inside CSS quotes; everything else is percent-encoded.
_IN_ADDRESS = ":/?#[]@!$&*+,;=%~"


def show_card(workshop: Workshop, page: st.Page, index: int) -> None:
    """Show a workshop as a card that leads to its page."""
    with st.container(border=True, key=f"card-{index}", gap="xsmall"):
        st.html(f'<div class="wod-picture-frame">{picture_html(workshop)}{_marks(workshop)}</div>')
        st.page_link(page, label=f"**{as_markdown(workshop.title)}**", query_params={"workshop": workshop.key})
        st.html(f'<p class="wod-summary">{as_html(_short(workshop.description))}</p>{_foot(workshop)}')


def picture_html(workshop: Workshop) -> str:
    """Return a workshop's picture; below it lies a generated one, seen when the author's can't be had."""
    layers = [workshop.image, picture(workshop.title)] if workshop.image else [picture(workshop.title)]
    style = "background-image:" + ",".join(f"url('{quote(each, safe=_IN_ADDRESS)}')" for each in layers)
    return f'<div class="wod-picture" style="{as_html(style)}"></div>'


def presenter_html(workshop: Workshop) -> str:
    """Return who presents a workshop, with a portrait; empty when nobody is named."""
    if not workshop.presenter.strip():
        return ""
    role = f'<span class="wod-soft">{as_html(workshop.presenter_role)}</span>' if workshop.presenter_role else ""
    address = workshop.avatar or portrait(workshop.presenter)
    return (
        f'<div class="wod-presenter"><img src="{as_html(address)}" alt="" loading="lazy">'
        f"<div><span>{as_html(workshop.presenter)}</span>{role}</div></div>"
    )


def facts_html(workshop: Workshop) -> str:
    """Return length and free seats in one line."""
    if workshop.free_seats:
        seats = f"{workshop.free_seats} {'seat' if workshop.free_seats == 1 else 'seats'} free"
        seats_html = f'<span class="wod-free">{seats}</span>'
    else:
        seats_html = '<span class="wod-full">Full at the moment</span>'
    return f'<div class="wod-facts"><span>{as_html(hours(workshop.duration_hours))}</span>{seats_html}</div>'


def _marks(workshop: Workshop) -> str:
    marks = (["Popular"] if workshop.is_popular else []) + [each for each in workshop.category if each.strip()]
    shown = "".join(f'<li class="wod-mark">{as_html(mark)}</li>' for mark in marks[:3])
    return f'<ul class="wod-marks" aria-label="Marks">{shown}</ul>' if shown else ""


def _foot(workshop: Workshop) -> str:
    return f'<div class="wod-foot">{presenter_html(workshop)}{facts_html(workshop)}</div>'


def _short(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= _DESCRIPTION_CHARACTERS:
        return line
    return line[:_DESCRIPTION_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:.") + "…"

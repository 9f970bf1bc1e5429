"""The look of a workshop: its card in the list, and the facts that card and page share."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from ui.api.schemas import Workshop
from ui.catalog.pictures import picture, portrait
from ui.catalog.times import seconds_until
from ui.catalog.wording import as_html, as_markdown, counted, hours, icon, span

_DESCRIPTION_CHARACTERS = 150
_CATEGORIES = 2

# What stays as it is in an address inside CSS quotes; everything else is percent-encoded.
_IN_ADDRESS = ":/?#[]@!$&*+,;=%~"


def show_card(workshop: Workshop, page: st.Page, index: int) -> None:
    """Show a workshop as a card that leads to its page."""
    with st.container(border=True, key=f"card-{index}", gap="xsmall"):
        st.html(f'<div class="wod-picture-frame">{picture_html(workshop)}{marks_html(workshop)}</div>')
        st.page_link(page, label=f"**{as_markdown(workshop.title)}**", query_params={"workshop": workshop.key})
        summary = f'<p class="wod-summary">{as_html(_short(workshop.description))}</p>'
        foot = f'<div class="wod-foot">{presenter_html(workshop)}{facts_html(workshop)}</div>'
        st.html(f"{categories_html(workshop)}{summary}{foot}")


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
    length = f"<span>{icon('schedule')}{as_html(hours(workshop.duration_hours))}</span>"
    return f'<div class="wod-facts">{length}{_seats_html(workshop)}</div>'


def marks_html(workshop: Workshop) -> str:
    """Return what stands out about a workshop, to be shown on its picture."""
    marks = [
        *([("Challenge", "trophy")] if workshop.kind == "challenge" else []),
        *([("Popular", "trending_up")] if workshop.is_popular else []),
        *([("New", "auto_awesome")] if workshop.is_new else []),
    ]
    shown = "".join(f'<li class="wod-mark">{icon(symbol)}{mark}</li>' for mark, symbol in marks)
    return f'<ul class="wod-marks" aria-label="Marks">{shown}</ul>' if shown else ""


def categories_html(workshop: Workshop) -> str:
    """Return the first categories of a workshop."""
    names = [each for each in workshop.category if each.strip()][:_CATEGORIES]
    shown = "".join(f"<li>{as_html(name)}</li>" for name in names)
    return f'<ul class="wod-categories" aria-label="Categories">{shown}</ul>' if shown else ""


def _seats_html(workshop: Workshop) -> str:
    if workshop.free_seats:
        return f'<span class="wod-free">{counted(workshop.free_seats, "seat")} free</span>'
    left = seconds_until(workshop.next_free_at) if workshop.next_free_at else 0
    when = f" · next seat in {span(left)}" if left >= 60 else ""
    return f'<span class="wod-full">{as_html("Full" + when)}</span>'


def _short(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= _DESCRIPTION_CHARACTERS:
        return line
    return line[:_DESCRIPTION_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:.") + "…"

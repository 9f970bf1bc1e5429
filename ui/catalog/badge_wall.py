"""The wall of badges: all that can be earned, and how many people have."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.api.own_schemas import BadgeKind
from ui.catalog.connection import badges
from ui.catalog.frame import Pages, name_page, show_heading, show_nothing, show_title
from ui.catalog.pictures import medal
from ui.catalog.wording import as_html, counted

_AT_ONCE = 60


def show_badges(pages: Pages) -> None:
    """Show all badges."""
    name_page("Badges")
    show_title("Badges", "For each workshop that you take part in, and for those who take part in several.")
    found = badges()
    if not found:
        show_nothing("military_tech", "There are no badges yet", "They come with the first workshop.")
    for kind, heading in (("special", "For several workshops"), ("workshop", "For one workshop")):
        of_kind = [badge for badge in found if badge.kind == kind]
        if of_kind:
            show_heading(heading)
            _show(of_kind, kind)
    st.page_link(pages["workshops"], label="Choose a workshop", icon=":material/arrow_forward:")


def _show(found: Sequence[BadgeKind], kind: str) -> None:
    shown = st.session_state.setdefault(f"badges_shown_{kind}", _AT_ONCE)
    st.html(f'<ul class="wod-badges">{"".join(_badge_html(badge) for badge in found[:shown])}</ul>')
    if len(found) > shown and st.button(f"Show more of {len(found)} badges", key=f"more-{kind}", width="stretch"):
        st.session_state[f"badges_shown_{kind}"] = shown + _AT_ONCE
        st.rerun()


def _badge_html(badge: BadgeKind) -> str:
    holders = counted(badge.holders, "holder") if badge.holders else "Be the first"
    # That of a workshop says no more than its title.
    what = f'<span class="wod-soft">{as_html(badge.description)}</span>' if badge.kind == "special" else ""
    return (
        f'<li><span class="wod-badge-picture"><img src="{as_html(badge.image or medal(badge.title))}" alt=""'
        f' loading="lazy"></span><strong>{as_html(badge.title)}</strong>'
        f"{what}<span>{as_html(holders)}</span></li>"
    )

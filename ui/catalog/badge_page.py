"""The public page that proves a badge to anybody who was given its code."""

from __future__ import annotations

import streamlit as st

from ui.api.own_schemas import BadgeProof
from ui.catalog.connection import brand, client
from ui.catalog.frame import Pages, name_page, read_or_tell
from ui.catalog.pictures import medal
from ui.catalog.sharing import show_copy_link
from ui.catalog.times import on
from ui.catalog.wording import as_html, counted, icon


def show_badge(pages: Pages) -> None:
    """Show the badge that the address names with `?code=CODE`."""
    code = st.query_params.get("code", "")
    proof = read_or_tell(
        lambda: client().badge(code),
        pages,
        name="Badge",
        title="This proves no badge",
        lead="The link is not complete, or its holder has asked to be forgotten.",
        back="badges",
    )
    if proof is None:
        return
    name_page(f"{proof.title}: badge of {proof.holder}")
    with st.container(key="proof", border=True, horizontal_alignment="center"):
        _show_proof(proof)
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        show_copy_link(proof.share_url, "Copy link")
        if proof.workshop:
            st.page_link(
                pages["workshop"],
                label="See the workshop",
                icon=":material/arrow_forward:",
                query_params={"workshop": proof.workshop},
            )
        else:
            st.page_link(pages["badges"], label="All badges", icon=":material/arrow_forward:")


def _show_proof(proof: BadgeProof) -> None:
    done = proof.completion
    cells = (
        f"{counted(done.cells_executed, 'cell')} of {done.cells_total} run" if done and done.cells_total else ""
    )
    facts = " · ".join(filter(None, (on(proof.earned_at), cells)))
    st.html(
        f'<div class="wod-proof"><img src="{as_html(proof.image or medal(proof.title))}" alt="">'
        f'<h1 class="wod-title">{as_html(proof.title)}</h1>'
        f'<p class="wod-lead">earned by <strong>{as_html(proof.holder)}</strong></p>'
        f'<p>{as_html(proof.description)}</p><p class="wod-soft">{as_html(facts)}</p>'
        f'<p class="wod-verified">{icon("verified")}Verified by {as_html(brand().name)}</p></div>'
    )

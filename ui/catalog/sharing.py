"""Ways to show others a page: a link to copy, and the sites where people show what they have learnt."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import streamlit as st

from ui.catalog.wording import as_html, icon


def show_copy_link(address: str, label: str) -> None:
    """Show a button that copies an address."""
    st.html(copy_link_html(address, label), width="content")


def copy_link_html(address: str, label: str) -> str:
    """Return a button that copies an address."""
    said = as_html(label)
    return (
        f'<button type="button" class="wod-small-button" data-wod-copy="{as_html(address)}">{icon("link")}'
        f'<span data-wod-said="{said}" aria-live="polite">{said}</span></button>'
    )


def share_links(address: str, words: str) -> dict[str, str]:
    """Return where to tell others of an absolute address, by the name of the site."""
    return {
        "LinkedIn": "https://www.linkedin.com/sharing/share-offsite/?" + urlencode({"url": address}),
        "Mastodon": "https://share.joinmastodon.org/#text=" + quote(f"{words} {address}", safe=""),
        "X": "https://x.com/intent/post?" + urlencode({"text": words, "url": address}),
    }


def share_html(address: str, words: str) -> str:
    """Return the links and the button that show others an absolute address."""
    links = "".join(
        f'<a class="wod-small-button" href="{as_html(target)}" target="_blank" rel="noopener noreferrer"'
        f' aria-label="Share on {site}">{site}</a>'
        for site, target in share_links(address, words).items()
    )
    return f'<div class="wod-share">{links}{copy_link_html(address, "Copy link")}</div>'

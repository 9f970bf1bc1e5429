"""Videos of workshops: on a page of their own, and where a workshop has one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlsplit

import streamlit as st

from ui.api.schemas import Workshop
from ui.catalog.cards import picture_html
from ui.catalog.connection import workshops
from ui.catalog.frame import Pages, name_page, show_nothing, show_title, show_way_back
from ui.catalog.wording import as_html, as_markdown, icon

_VIDEO = re.compile(r"[A-Za-z0-9_-]{6,20}")
_YOUTUBE = ("youtube.com", "www.youtube.com", "m.youtube.com", "www.youtube-nocookie.com")
_YOUTUBE_FOLDERS = ("embed", "live", "shorts", "v")


def has_replays(offered: Sequence[Workshop]) -> bool:
    """Tell whether there is any video to show."""
    return any(workshop.replay_link for workshop in offered)


def show_replays(pages: Pages) -> None:
    """Show all workshops that have a video."""
    name_page("Replays")
    show_title("Replays", "Watch how workshops were given live, then do them yourself.")
    found = [workshop for workshop in workshops() if workshop.replay_link]
    if not found:
        show_nothing("video_library", "There are no videos yet", "The workshops themselves are there at any time.")
        show_way_back(pages)
        return
    with st.container(key="videos"):
        for index, workshop in enumerate(found):
            with st.container(key=f"video-{index}", gap="xsmall"):
                show_replay(workshop)
                st.page_link(
                    pages["workshop"],
                    label=f"**{as_markdown(workshop.title)}**",
                    query_params={"workshop": workshop.key},
                )
                if workshop.presenter:
                    st.html(f'<p class="wod-below">{as_html(workshop.presenter)}</p>')


def show_replay(workshop: Workshop) -> None:
    """Show the video of a workshop. Nothing of the site that has it is loaded before somebody wants to see it."""
    embedded = embedded_video(workshop.replay_link)
    label = as_html(f"Watch the replay of {workshop.title}")
    inner = f'{picture_html(workshop)}<span class="wod-play">{icon("play_arrow")}</span>'
    if embedded:
        st.html(
            f'<div class="wod-video"><button type="button" data-wod-video="{as_html(embedded)}"'
            f' aria-label="{label}">{inner}</button></div>'
        )
    else:
        st.html(
            f'<div class="wod-video"><a href="{as_html(workshop.replay_link)}" target="_blank"'
            f' rel="noopener noreferrer" aria-label="{label}">{inner}</a></div>'
        )


def embedded_video(address: str) -> str:
    """Return where a video of YouTube can be embedded without its cookies; empty for other sites' videos."""
    try:
        parts = urlsplit(address)
        host, folders = (parts.hostname or "").casefold(), [each for each in parts.path.split("/") if each]
    except ValueError:
        return ""
    if host == "youtu.be" and folders:
        video = folders[0]
    elif host in _YOUTUBE and folders[:1] == ["watch"]:
        video = parse_qs(parts.query).get("v", [""])[0]
    elif host in _YOUTUBE and len(folders) > 1 and folders[0] in _YOUTUBE_FOLDERS:
        video = folders[1]
    else:
        return ""
    if not _VIDEO.fullmatch(video):
        return ""
    return f"https://www.youtube-nocookie.com/embed/{quote(video)}?autoplay=1&rel=0"

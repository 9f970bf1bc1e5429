"""The catalog: `streamlit run ui/catalog/main.py`.

It is configured by WOD_CATALOG_API_URL, the address of the API, alone. How Streamlit itself behaves is in
.streamlit/config.toml beside this file; flags and STREAMLIT_… variables are stronger than it. Worth setting:

- STREAMLIT_SERVER_ADDRESS, STREAMLIT_SERVER_PORT: where to listen;
- STREAMLIT_THEME_PRIMARY_COLOR, STREAMLIT_THEME_LIGHT_LINK_COLOR, STREAMLIT_THEME_DARK_LINK_COLOR: the brand;
- STREAMLIT_SERVER_BASE_URL_PATH: the path below which a proxy shows the catalog.
"""

from __future__ import annotations

import streamlit as st

from ui.api.client import ApiError
from ui.catalog.badge_page import show_badge
from ui.catalog.badge_wall import show_badges
from ui.catalog.booking_page import show_booking
from ui.catalog.connection import brand, show_outage, workshops
from ui.catalog.frame import Pages, apply_style, show_footer, show_header
from ui.catalog.replays import has_replays, show_replays
from ui.catalog.session_page import show_session
from ui.catalog.terms_page import show_terms
from ui.catalog.waiting_page import show_waiting
from ui.catalog.workshop_list import show_workshops
from ui.catalog.workshop_page import show_workshop

# What names a page in an address, and the page: also when the address is that of the first one.
_OLD_ADDRESSES = {
    "booking": "booking",
    "workshop": "workshop",
    "link": "session",
    "place": "waiting",
    "code": "badge",
}


def main() -> None:
    """Show the page that the address names."""
    pages = {
        "workshops": st.Page(lambda: show_workshops(pages["workshop"]), title="Workshops", default=True),
        "workshop": st.Page(lambda: show_workshop(pages), title="Workshop", url_path="workshop"),
        "booking": st.Page(lambda: show_booking(pages), title="Booking", url_path="booking"),
        "session": st.Page(lambda: show_session(pages), title="My session", url_path="session"),
        "waiting": st.Page(lambda: show_waiting(pages), title="Waiting list", url_path="waiting"),
        "badges": st.Page(lambda: show_badges(pages), title="Badges", url_path="badges"),
        "badge": st.Page(lambda: show_badge(pages), title="Badge", url_path="badge"),
        "replays": st.Page(lambda: show_replays(pages), title="Replays", url_path="replays"),
        "terms": st.Page(lambda: show_terms(), title="Terms and conditions", url_path="terms"),
    }
    page = st.navigation(list(pages.values()), position="hidden")
    st.set_page_config(layout="wide", page_icon="🎓")
    apply_style()
    try:
        programme = brand()
        if page is pages["workshops"]:
            _follow_old_address(pages)
        show_header(programme, pages, has_replays=has_replays(workshops()))
        with st.container(key="page"):
            page.run()
        show_footer(programme, pages)
    except ApiError:
        show_outage()


def _follow_old_address(pages: Pages) -> None:
    """Lead on who comes to the first page with what names another."""
    for name, page in _OLD_ADDRESSES.items():
        if name in st.query_params:
            st.switch_page(pages[page], query_params={name: st.query_params[name]})


main()

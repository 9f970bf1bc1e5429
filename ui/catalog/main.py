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
from ui.catalog.booking_page import show_booking
from ui.catalog.connection import brand, show_outage
from ui.catalog.frame import apply_style, show_footer, show_header
from ui.catalog.workshop_list import show_workshops
from ui.catalog.workshop_page import show_workshop


def main() -> None:
    """Show the page that the address names."""
    pages = {
        "workshops": st.Page(lambda: show_workshops(pages["workshop"]), title="Workshops", default=True),
        "workshop": st.Page(lambda: show_workshop(pages), title="Workshop", url_path="workshop"),
        "booking": st.Page(lambda: show_booking(pages["workshops"]), title="Booking", url_path="booking"),
    }
    page = st.navigation(list(pages.values()), position="hidden")
    st.set_page_config(layout="wide", page_icon="🎓")
    apply_style()
    try:
        programme = brand()
        if page is pages["workshops"]:
            _follow_old_address(pages)
        show_header(programme, pages)
        page.run()
        show_footer(programme)
    except ApiError:
        show_outage()


def _follow_old_address(pages: dict[str, st.Page]) -> None:
    """Lead on who comes to the first page with `?booking=` or `?workshop=`."""
    for name in ("booking", "workshop"):
        if name in st.query_params:
            st.switch_page(pages[name], query_params={name: st.query_params[name]})


main()

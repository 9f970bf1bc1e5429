"""The catalog's hold on the API: one client for all visitors, and what to show while the API is away."""

from __future__ import annotations

import os
from ipaddress import ip_address

import streamlit as st

from ui.api.client import ApiClient, ApiError
from ui.api.own_schemas import BadgeKind
from ui.api.schemas import Brand, Workshop

API_VARIABLE = "WOD_CATALOG_API_URL"

# How long visitors may see the same answer: free seats change with every booking, the brand hardly ever.
_WORKSHOPS_SECONDS, _BADGES_SECONDS, _BRAND_SECONDS = 2, 30, 60
_RETRY_SECONDS = 3.0


def client() -> ApiClient:
    """Return the client for this visitor, by the connection that all visitors share."""
    return _shared().on_behalf_of(_visitor())


# The answers are shared and never changed: a copy of 500 workshops for each visitor's key press would take longer
# than all the rest.
@st.cache_resource(ttl=_WORKSHOPS_SECONDS, show_spinner=False)
def workshops() -> tuple[Workshop, ...]:
    """Return the workshops that can be booked."""
    return tuple(client().workshops())


@st.cache_resource(ttl=_BADGES_SECONDS, show_spinner=False)
def badges() -> tuple[BadgeKind, ...]:
    """Return the badges that can be earned."""
    return tuple(client().badges())


@st.cache_resource(ttl=_BRAND_SECONDS, show_spinner=False)
def brand() -> Brand:
    """Return how the programme presents itself."""
    return client().brand()


@st.cache_resource
def _shared() -> ApiClient:
    return ApiClient(os.environ[API_VARIABLE])


def _visitor() -> str:
    """Return who looks at the page, for the API.

    A proxy on this machine tells whom it serves; whoever comes from elsewhere can't claim to be somebody else.
    """
    # IPv4 on a socket for both kinds of addresses looks like that.
    address = (st.context.ip_address or "").removeprefix("::ffff:")
    if address and not ip_address(address).is_loopback:
        return address
    return st.context.headers.get("X-Forwarded-For") or ""


def show_outage() -> None:
    """Tell that the service is out of order, and show the page by itself when it is back."""

    @st.fragment(run_every=_RETRY_SECONDS)
    def wait() -> None:
        st.warning(
            "**We'll be right back.** The service is out of order at the moment. This page tries again by itself.",
            icon=":material/cloud_off:",
        )
        try:
            client().workshops()
        except ApiError:
            return
        st.rerun()

    wait()

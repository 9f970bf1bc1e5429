"""The addresses of a student's pages, and which addresses given by others can be shown."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

FIRST_PAGE = "0-ReadMeFirst.ipynb"


def workshop_page(catalog_url: str, workshop_key: str) -> str:
    """Return the catalog's page of a workshop, which anybody may share."""
    return f"{catalog_url}/workshop?{urlencode({'workshop': workshop_key})}"


def booking_page(catalog_url: str, reference: str) -> str:
    """Return the catalog's page of a booking, which only its student may know."""
    return f"{catalog_url}/booking?{urlencode({'booking': reference})}"


def own_page(catalog_url: str, link: str) -> str:
    """Return the catalog's page of a student, which opens with the signed `link` of a mail alone."""
    return f"{catalog_url}/session?{urlencode({'link': link})}"


def waiting_page(catalog_url: str, reference: str) -> str:
    """Return the catalog's page of a place in a line, which only its student may know."""
    return f"{catalog_url}/waiting?{urlencode({'place': reference})}"


def badge_page(catalog_url: str, code: str) -> str:
    """Return the catalog's page that proves a badge, which its holder may share."""
    return f"{catalog_url}/badge?{urlencode({'code': code})}"


def shared_workshop(api_url: str, workshop_key: str) -> str:
    """Return an address that leads to a workshop's page, and tells sites that preview links what it is."""
    return f"{api_url}/share/workshop/{quote(workshop_key, safe='')}"


def shared_badge(api_url: str, code: str) -> str:
    """Return an address that leads to the proof of a badge, and tells such sites what it is."""
    return f"{api_url}/share/badge/{quote(code, safe='')}"


def work_download(api_url: str, reference: str) -> str:
    """Return where the student's work can be fetched after the session."""
    return f"{api_url}/api/v1/bookings/{quote(reference, safe='')}/work"


def session_page(hub_url: str, account: str, workshop_key: str) -> str:
    """Return where a student logs in to a seat, its account filled in, and then sees the first notebook."""
    prefix = urlsplit(hub_url).path.rstrip("/")
    first_page = f"{prefix}/hub/user-redirect/lab/tree/{quote(workshop_key, safe='')}/{FIRST_PAGE}"
    return f"{hub_url}/hub/login?{urlencode({'username': account, 'next': first_page})}"


def web_address(text: str, *, needs_path: bool = False) -> str:
    """Return `text` if it is an address that a page can link to or show, else an empty text.

    With `needs_path`, the bare name of a site (`https://youtu.be/`) is none: authors leave it as a blank.
    """
    try:
        parts = urlsplit(text.strip())
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    if not is_address or (needs_path and parts.path in ("", "/") and not parts.query):
        return ""
    return text.strip()


def origin_of(address: str) -> str:
    """Return the origin of pages below `address`, in the form in which browsers name it."""
    parts = urlsplit(address)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"

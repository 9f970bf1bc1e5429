"""Students of partners find their way back from the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest
from partner_samples import add_key
from playwright.async_api import expect
from ui_browser import PHONE, WIDE, OpenPage, photograph
from ui_services import Process, Shop

from ui.api.partner_client import PartnerClient
from ui.api.partner_schemas import PartnerBookingRequest

pytestmark = [pytest.mark.integration, pytest.mark.browser]

BACK = "https://portal.example.org/workshops?user=7"


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
async def test_a_student_of_a_partner_can_go_back(
    visit: OpenPage, shop: Shop, api: Process, screenshots: Path, width: int, scheme: str
) -> None:
    await shop.offer()
    _, key = await add_key(shop.database)
    wish = PartnerBookingRequest(
        workshop="WKSHP-Test101", email="ana@example.org", name="Ana", accept_terms=True, return_url=BACK
    )
    with PartnerClient(api.url, key) as partner:
        booking = partner.book_for_user(wish, idempotency_key="one")
    page = await visit(f"/booking?booking={booking.reference}", width, scheme)
    back = page.get_by_role("link", name="Back to portal.example.org")
    await expect(back).to_have_attribute("href", BACK)
    await shop.serve(booking.reference)
    await expect(page.get_by_role("link", name="Open JupyterLab")).to_be_visible()
    await expect(back).to_be_visible()
    await photograph(page, screenshots, f"{width}-{scheme}-way-back")

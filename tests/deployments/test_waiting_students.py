"""Students at a full workshop, on a running platform: wait, be offered, take, extend, be forgotten."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from eventually import eventually
from faults.bursts import kill

from deployments.rehearsal.maildir import credentials_of, kind_of, text_of
from deployments.rehearsal.own_platform import own_platform
from models.rules.booking import MailKind
from ui.api.client import ApiClient, ApiError
from ui.api.own_schemas import WaitingRequest
from ui.api.schemas import BookingRequest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WORKSHOP = "WKSHP-Python-First-Steps"
OFFER_SECONDS = 15


@pytest.fixture(scope="module")
def platform():
    with own_platform(seats=1, offer_hours=OFFER_SECONDS / 3600) as running:
        yield running


@pytest.fixture
def client(platform):
    with ApiClient(platform.api_url) as opened:
        yield opened


def wish(email):
    return WaitingRequest(email=email, name="A Student", accept_terms=True)


def booking(email):
    return BookingRequest(workshop=WORKSHOP, email=email, name="A Student", accept_terms=True)


def query(message, page, name):
    """Return what a mail's link to a page of the catalog holds."""
    (address,) = set(re.findall(rf"http\S+/{page}\?\S+", text_of(message)))
    return parse_qs(urlsplit(address).query)[name][0]


async def test_from_a_full_workshop_to_a_session_that_is_forgotten(platform, client):
    mailbox = platform.mailbox
    first = client.book(booking("first@example.com"))
    await mailbox.wait_for(MailKind.CREDENTIALS, "first@example.com", 60)
    with pytest.raises(ApiError) as full:
        client.book(booking("missed@example.com"))
    assert full.value.reason == "workshop_full"
    assert full.value.retry_at

    missed = client.wait(WORKSHOP, wish("missed@example.com"))
    second = client.wait(WORKSHOP, wish("second@example.com"))
    in_line = await mailbox.wait_for(MailKind.WAITING, "second@example.com", 30)
    assert query(in_line, "waiting", "place") == second.reference
    own = client.own_page(query(in_line, "session", "link"))
    assert [each.position for each in own.waiting] == [2]

    client.end_booking(first.reference)
    offer = await mailbox.wait_for(MailKind.OFFER, "missed@example.com", 60)
    assert query(offer, "waiting", "place") == missed.reference
    with pytest.raises(ApiError) as full:
        client.book(booking("third@example.com"))
    assert full.value.reason == "workshop_full"
    await mailbox.wait_for(MailKind.OFFER_MISSED, "missed@example.com", OFFER_SECONDS + 30)

    offer = await mailbox.wait_for(MailKind.OFFER, "second@example.com", 30)
    taken = client.take_offer(query(offer, "waiting", "place"))
    credentials = await mailbox.wait_for(MailKind.CREDENTIALS, "second@example.com", 60)
    assert credentials_of(credentials).password
    link = query(credentials, "session", "link")
    page = client.own_page(link)
    assert page.booking is not None
    assert page.booking.reference == taken.reference

    progress = await eventually(lambda: client.own_page(link).progress, "the session is measured", 40)
    assert progress.cells_executed == 0
    assert progress.cells_total > 5

    longer = client.extend_session(link).booking
    assert longer is not None
    assert longer.ends_at - page.booking.ends_at == timedelta(hours=1)

    forgotten = client.forget(link)
    assert not forgotten.is_complete
    with pytest.raises(ApiError) as unknown:
        client.own_page(link)
    assert unknown.value.reason == "link_unknown"
    ended = await eventually(
        lambda: (found := client.booking(taken.reference)).state == "ended" and found, "the session is ended", 40
    )
    assert (ended.email_hint, ended.work_url) == ("", "")
    kept = (platform.layout.state / "archives").glob("*.zip")
    assert [each.name for each in kept] == ["1.zip"], "work of the forgotten student is kept"


async def test_an_engine_that_is_killed_leaves_the_line_in_order(platform, client):
    mailbox = platform.mailbox
    running = client.book(booking("running@example.com"))
    await mailbox.wait_for(MailKind.CREDENTIALS, "running@example.com", 60)
    places = [client.wait(WORKSHOP, wish(f"line{number}@example.com")) for number in range(2)]
    await mailbox.wait_for(MailKind.WAITING, "line1@example.com", 30)
    client.end_booking(running.reference)
    for _ in range(3):
        kill(platform, "engine")
        await asyncio.sleep(2)
        if mailbox.find(MailKind.OFFER, "line0@example.com"):
            break  # the time of the offer runs from its mail on
    offer = await mailbox.wait_for(MailKind.OFFER, "line0@example.com", 90)
    taken = client.take_offer(query(offer, "waiting", "place"))
    kill(platform, "engine")
    await mailbox.wait_for(MailKind.CREDENTIALS, "line0@example.com", 90)
    assert client.booking(taken.reference).state == "ready"
    left = client.waiting(places[1].reference)
    assert (left.state, left.position) == ("waiting", 1)
    # A mail may have gone out twice, to be known by its Message-ID; none is missing, and none is too many.
    mails = {kind_of(each) for each in mailbox.mails("line0@example.com")}
    assert mails == {MailKind.WAITING, MailKind.OFFER, MailKind.WELCOME, MailKind.CREDENTIALS}

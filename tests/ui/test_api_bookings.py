"""Booking through a running API: what is granted, what is refused, and what a student sees of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from models.rules.booking import BookingEvent
from models.tables import utc_now
from ui.api.client import ApiClient, ApiError
from ui.api.schemas import BookingCreated, BookingRequest

pytestmark = pytest.mark.integration

GOOD = {"workshop": "WKSHP-Test101", "email": "ana@example.org", "name": "Ana Example", "accept_terms": True}


def book(client: ApiClient, email: str = "ana@example.org", workshop: str = "WKSHP-Test101") -> BookingCreated:
    return client.book(BookingRequest(workshop=workshop, email=email, name="Ana Example", accept_terms=True))


def done(client: ApiClient, reference: str) -> list[str]:
    return [step.key for step in client.booking(reference).steps if step.done]


async def test_a_booking_takes_a_seat_and_promises_the_welcome_mail(shop, web):
    await shop.offer()
    answer = await web.post("/api/v1/bookings", json=GOOD | {"company": "Example Inc."})
    assert answer.status_code == 201
    created = BookingCreated.model_validate(answer.json())
    assert created.state == "reserved"
    assert answer.headers["location"] == created.status_url
    assert created.page_url.endswith(f"/booking?booking={created.reference}")
    assert await shop.rows("SELECT email, name, company, state FROM booking") == [
        ("ana@example.org", "Ana Example", "Example Inc.", "reserved")
    ]
    assert await shop.rows("SELECT kind FROM mail") == [("welcome",)]


async def test_a_booking_is_followed_step_by_step(shop, client):
    await shop.offer(title="Ünïcode & <b>markup</b>")
    reference = book(client).reference
    assert done(client, reference) == ["seat"]
    await shop.step(reference, "notebooks")
    assert done(client, reference) == ["seat", "notebooks"]
    await shop.step(reference, "account")
    await shop.open(reference)
    assert done(client, reference) == ["seat", "notebooks", "account"]
    assert client.booking(reference).poll_seconds == 1
    await shop.send_mails(reference)
    status = client.booking(reference)
    assert [step.done for step in status.steps] == [True] * 4
    assert status.state == "ready"
    assert status.workshop_title == "Ünïcode & <b>markup</b>"
    assert status.account == "student1"
    assert status.session_url.startswith("http://hub.test:8000/hub/login?username=student1&next=")
    assert 4 * 3600 - 60 < (status.seconds_left or 0) <= 4 * 3600


async def test_a_status_holds_neither_the_address_nor_anything_like_a_password(shop, client, web):
    await shop.offer()
    reference = book(client).reference
    await shop.serve(reference)
    text = (await web.get(f"/api/v1/bookings/{reference}")).text
    assert "ana@example.org" not in text
    assert "a…@example.org" in text
    assert "password" not in text.replace("Password mailed", "")


async def test_the_polls_become_rare_while_a_student_works(shop, client):
    await shop.offer()
    reference = book(client).reference
    await shop.serve(reference, hours=0.05)
    assert 1 <= (client.booking(reference).poll_seconds or 0) <= 3
    await shop.serve((other := book(client, "ben@example.org")).reference)
    assert client.booking(other.reference).poll_seconds == 20


async def test_ending_is_asked_once_and_answered_always(shop, client):
    await shop.offer()
    reference = book(client).reference
    await shop.serve(reference)
    assert client.booking(reference).can_end
    first = client.end_booking(reference)
    assert (first.state, first.can_end, first.session_url, first.account) == ("ending", False, "", "")
    assert client.end_booking(reference) == first
    await shop.move(reference, BookingEvent.RELEASE, finished_at=utc_now())
    ended = client.end_booking(reference)
    assert (ended.state, ended.poll_seconds) == ("ended", None)
    assert book(client).reference != reference


async def test_an_unready_booking_can_be_ended(shop, client):
    await shop.offer()
    assert client.end_booking(book(client).reference).state == "ending"


async def test_a_trouble_and_a_failure_are_told_without_what_is_the_operators(shop, client):
    await shop.offer()
    reference = book(client).reference
    await shop.step(reference, "notebooks")
    await shop.rows("UPDATE booking SET attempts = 1, failure = 'The hub is slow.'")
    assert client.booking(reference).notice.endswith("it is being tried again.")
    await shop.move(reference, BookingEvent.GIVE_UP, failure="The hub did not answer.")
    status = client.booking(reference)
    assert (status.state, status.notice) == ("abandoning", "")
    assert "operators were told why" in status.failure
    assert "hub" not in status.failure
    await shop.move(reference, BookingEvent.RELEASE)
    assert client.booking(reference).failure == status.failure


async def test_an_undeliverable_password_is_told(shop, client):
    await shop.offer()
    reference = book(client).reference
    await shop.step(reference, "account")
    await shop.open(reference)
    await shop.rows("UPDATE mail SET attempts = 3")
    assert "late" in client.booking(reference).notice
    await shop.rows("UPDATE mail SET given_up_at = now()")
    status = client.booking(reference)
    assert "could not be delivered" in status.notice
    assert not status.steps[-1].done


@pytest.mark.parametrize(
    ("cells", "expected"), [((None, None), None), ((0, 0), None), ((0, 8), 0), ((3, 8), 37), ((8, 8), 100)]
)
async def test_completion_is_told(shop, client, cells, expected):
    await shop.offer()
    reference = book(client).reference
    await shop.rows("UPDATE booking SET cells_executed = :done, cells_total = :all", done=cells[0], all=cells[1])
    completion = client.booking(reference).completion
    assert (completion and completion.percent) == expected


async def test_the_work_can_be_fetched_while_it_is_kept(shop, client, settings):
    await shop.offer()
    reference = book(client).reference
    await shop.serve(reference)
    with pytest.raises(ApiError, match="no work") as refused:
        client.work(reference)
    assert refused.value.reason == "work_missing"

    [(booking_id,)] = await shop.rows("SELECT id FROM booking")
    archives = settings.state_dir / "archives"
    archives.mkdir(exist_ok=True)
    (archives / f"{booking_id}.zip").write_bytes(b"PK-anything" * 10_000)
    until = utc_now() + timedelta(days=14)
    await shop.move(reference, BookingEvent.LEAVE, archive_until=until)
    status = client.booking(reference)
    work_url = f"{settings.url('api')}/api/v1/bookings/{reference}/work"
    assert (status.work_url, status.work_until) == (work_url, until)
    assert client.work(reference) == b"PK-anything" * 10_000

    await shop.rows("UPDATE booking SET archive_until = now() - interval '1 second'")
    assert client.booking(reference).work_url == ""
    with pytest.raises(ApiError) as refused:
        client.work(reference)
    assert refused.value.reason == "work_expired"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "reference", ["x", "A" * 24, "A" * 5000, "..", "%2e%2e%2fhealth", "%00" * 20, "%ff", "é" * 24, "' OR 1=1 --"]
)
async def test_any_reference_that_is_none_gets_the_same_answer(shop, web, method, reference):
    await shop.offer()
    answer = await web.request(method, f"/api/v1/bookings/{reference}")
    assert answer.status_code == 404
    if answer.json()["reason"] != "not_found":  # the path didn't lead to a booking at all
        assert answer.content == (await web.request(method, f"/api/v1/bookings/{'B' * 24}")).content


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"email": "no-at-sign"}, "email", "email_malformed"),
        ({"email": ""}, "email", "email_malformed"),
        ({"email": "a@example.org\r\nBcc: b@example.org"}, "email", "email_malformed"),
        ({"email": "a" * 10_000 + "@example.org"}, "email", "email_malformed"),
        ({"email": "a@mailinator.com"}, "email", "email_disposable"),
        ({"email": None}, "email", "string_type"),
        ({"email": ["a@example.org"]}, "email", "string_type"),
        ({"email": "a@\ud800.org"}, "email", "*"),
        ({"name": " "}, "name", "name_missing"),
        ({"name": "x" * 10_000}, "name", "name_too_long"),
        ({"name": "Ana\nBcc: b@example.org"}, "name", "name_malformed"),
        ({"name": "Ana\x00"}, "name", "name_malformed"),
        ({"name": 7}, "name", "string_type"),
        ({"company": "x" * 200}, "company", "company_too_long"),
        ({"company": {}}, "company", "string_type"),
        ({"workshop": "\x00"}, "workshop", "workshop_malformed"),
        ({"workshop": 3}, "workshop", "string_type"),
        ({"accept_terms": False}, "accept_terms", "literal_error"),
        ({"accept_terms": "yes"}, "accept_terms", "literal_error"),
        ({"is_admin": True}, "is_admin", "extra_forbidden"),
        ({"\ud800": True}, "", "string_unicode"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_changes(shop, web, change, field, reason):
    await shop.offer()
    body = json.dumps(GOOD | change)  # httpx's own encoder can't write lone surrogates
    answer = await web.post("/api/v1/bookings", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    found = [(each["field"], each["reason"]) for each in answer.json()["fields"]]
    assert found == [(field, found[0][1] if reason == "*" else reason)]
    assert await shop.rows("SELECT 1 FROM booking UNION ALL SELECT 1 FROM mail") == []


async def test_all_wrong_fields_are_named_at_once(shop, web):
    await shop.offer()
    wish = {"workshop": 3, "email": "nobody", "name": "", "company": "x" * 500, "accept_terms": False, "more": 1}
    answer = (await web.post("/api/v1/bookings", json=wish)).json()
    assert {each["field"] for each in answer["fields"]} == set(wish)
    assert all(each["message"] in answer["message"] for each in answer["fields"])


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 422, "input_wrong"),
        (b"{", 422, "input_wrong"),
        (b"null", 422, "input_wrong"),
        (b"[]", 422, "input_wrong"),
        (b"7", 422, "input_wrong"),
        (b"[" * 15_000, 400, "request_malformed"),
        (b'{"email": "\xff"}', 400, "request_malformed"),
        (b'{"workshop": ' + b"9" * 10_000 + b"}", 400, "request_malformed"),
        (b" " * 20_000, 413, "request_too_large"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(shop, web, content, status, reason):
    answer = await web.post("/api/v1/bookings", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_names_with_markup_are_kept_as_text(shop, client):
    await shop.offer()
    name = "<script>alert(1)</script> {{ 7*7 }}"
    client.book(BookingRequest(workshop="WKSHP-Test101", email="a@example.org", name=name, accept_terms=True))
    assert await shop.rows("SELECT name FROM booking") == [(name,)]


async def test_unknown_and_inactive_workshops_are_refused(shop, client):
    await shop.offer("WKSHP-Off", active=False)
    for key, reason in [("WKSHP-None", "workshop_unknown"), ("WKSHP-Off", "workshop_inactive")]:
        with pytest.raises(ApiError) as refused:
            book(client, workshop=key)
        assert refused.value.reason == reason
    with pytest.raises(ApiError, match="no such workshop"):
        client.workshop("WKSHP-Off")


async def test_a_full_workshop_says_when_to_come_back(shop, web, client):
    await shop.offer(capacity=1)
    first = book(client)
    for hours in (None, 0.5):  # nobody knows yet when a booking in preparation will end: then at the latest
        if hours:
            await shop.serve(first.reference, hours=hours)
        answer = await web.post("/api/v1/bookings", json=GOOD | {"email": "ben@example.org"})
        assert (answer.status_code, answer.json()["reason"]) == (409, "workshop_full")
        expected = 3600 * (hours or 4)
        assert expected - 60 < int(answer.headers["retry-after"]) <= expected + 5
    client.end_booking(first.reference)
    answer = await web.post("/api/v1/bookings", json=GOOD | {"email": "ben@example.org"})
    assert int(answer.headers["retry-after"]) <= 10


async def test_a_workshop_whose_seats_others_hold_says_when_they_are_free(shop, client):
    await shop.offer("WKSHP-One", capacity=1, seat_first=1, seat_last=1)
    await shop.offer("WKSHP-Two", capacity=1, seat_first=1, seat_last=1)
    await shop.serve(book(client, workshop="WKSHP-One").reference, hours=1)
    with pytest.raises(ApiError) as refused:
        book(client, "ben@example.org", "WKSHP-Two")
    assert refused.value.reason == "workshop_full"
    assert timedelta(minutes=59) < refused.value.retry_at - utc_now() <= timedelta(hours=1)


async def test_an_address_books_one_workshop_at_a_time(shop, client):
    await shop.offer()
    await shop.offer("WKSHP-Other")
    await shop.serve(book(client).reference)
    with pytest.raises(ApiError) as refused:
        book(client, "ANA@Example.org", "WKSHP-Other")
    assert refused.value.reason == "already_booked"
    assert refused.value.retry_at is not None

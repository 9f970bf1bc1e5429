"""Bookings in the words of the existing system, and back: tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.rules.booking import BookingState
from models.rules.roles import Right
from models.store.bookings import BookingDetails
from models.store.records import BookingRecord
from models.tables import Backend, Booking, Seat, Workshop
from ui.api.legacy.answers import lack_of
from ui.api.legacy.rows import changes, customer_row, last_email_sent, location_row, place_of_student, student_id

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
S = BookingState


def record(*, state=S.READY, was_left=False, rung=0, number=1, seat=7, **values):
    usual = {
        "id": 12,
        "reference": "r" * 24,
        "workshop_id": 1,
        "seat_id": 1,
        "seat_generation": 1,
        "email": "ana@example.org",
        "email_key": "ana@example.org",
        "name": "Ana Example",
        "state": state,
        "duration_hours": 4,
        "content_digest": "0",
        "created_at": NOON,
    }
    workshop = Workshop(
        id=1, key="WKSHP-A", title="A", description="", active=True, capacity=1, priority=1, seat_first=1,
        seat_last=9, duration_hours=4, source="s", content_digest="0",
    )  # fmt: skip
    backend = Backend(id=3, name="be", number=number, hub_url="https://be.example.org", hub_api_url="")
    found = BookingDetails(
        Booking(**(usual | values)), workshop, Seat(id=1, backend_id=3, number=seat, account="student7"), backend
    )
    return BookingRecord(found, was_left, rung)


@pytest.mark.parametrize(
    ("state", "was_left", "word", "active", "cleaned"),
    [
        (S.RESERVED, False, None, False, False),
        (S.PREPARING, False, "welcome", False, False),
        (S.READY, False, "credentials", True, False),
        (S.EXPIRING, False, "expiring", True, False),
        (S.ENDING, False, "expiring", False, False),
        (S.ENDING, True, "unregister", False, False),
        (S.ENDED, False, "expired", False, True),
        (S.ENDED, True, "expired", False, True),
        (S.ABANDONING, False, "error", False, False),
        (S.FAILED, False, "error", False, True),
    ],
)
def test_how_far_a_booking_is(state, was_left, word, active, cleaned):
    assert last_email_sent(state, was_left=was_left) == word
    row = customer_row(record(state=state, was_left=was_left), 3600)
    assert (row.last_email_sent, row.active, row.cleaned) == (word, active, cleaned)


@pytest.mark.parametrize("state", S)
def test_every_state_has_a_word(state):
    last_email_sent(state, was_left=False)


@pytest.mark.parametrize(
    ("moments", "start", "end"),
    [
        ({}, NOON, NOON + 4 * HOUR),
        ({"ready_at": NOON + HOUR, "ends_at": NOON + 5 * HOUR}, NOON + HOUR, NOON + 5 * HOUR),
        (
            {"ready_at": NOON, "ends_at": NOON + 4 * HOUR, "finished_at": NOON + 2 * HOUR},
            NOON,
            NOON + 2 * HOUR,
        ),
        ({"ready_at": NOON, "ends_at": NOON + 4 * HOUR, "finished_at": NOON + 5 * HOUR}, NOON, NOON + 4 * HOUR),
        ({"finished_at": NOON + HOUR}, NOON, NOON + HOUR),
    ],
)
def test_when_a_session_begins_and_ends(moments, start, end):
    row = customer_row(record(**moments), 3600)
    assert (row.start_date, row.end_date) == (start, end)


@pytest.mark.parametrize(("rung", "badge"), [(0, 0), (3, 1), (5, 2), (7, 3), (10, 4), (15, 5), (4, 0)])
def test_special_badges_count_from_one(rung, badge):
    assert customer_row(record(rung=rung), 3600).special_badge_id == badge


@pytest.mark.parametrize(
    ("executed", "total", "percent"), [(None, None, 0), (0, 9, 0), (3, 4, 75), (9, 9, 100), (1, 0, 0)]
)
def test_how_far_a_student_got(executed, total, percent):
    row = customer_row(record(cells_executed=executed, cells_total=total), 3600)
    assert row.completion_percentage == percent


@pytest.mark.parametrize(("number", "seat"), [(1, 1), (1, 5000), (2, 1), (37, 42), (200_000, 9999)])
def test_a_students_id_tells_the_backend_and_the_seat(number, seat):
    found = record(number=number, seat=seat).found
    known = student_id(found.seat, found.backend)
    assert place_of_student(known) == (number, seat)
    assert known - location_row(found.backend).basestdid == seat


@pytest.mark.parametrize(
    ("url", "name", "proto", "port"),
    [
        ("http://hub.test:8000", "hub.test", "http", 8000),
        ("https://be1.example.org", "be1.example.org", "https", 443),
        ("https://[2001:db8::1]:8443/hub1", "2001:db8::1", "https", 8443),
        ("http://127.0.0.1", "127.0.0.1", "http", 80),
    ],
)
def test_where_a_backend_is(url, name, proto, port):
    row = location_row(Backend(name="be1", number=1, hub_url=url, hub_api_url=""))
    assert (row.name, row.proto, row.port) == (name, proto, port)


@pytest.mark.parametrize(
    ("wanted", "differs"),
    [
        ({}, {}),
        ({"active": True, "name": "Ana Example", "hours": 4}, {}),
        ({"active": False}, {"active": False}),
        ({"email": "b@example.org"}, {"email": "b@example.org"}),
        ({"admin": True}, {"admin": True}),
        ({"last_email_sent": "expired"}, {"last_email_sent": "expired"}),
        ({"startDate": "2026-11-23T12:00:00Z"}, {}),
    ],
)
def test_what_somebody_wants_to_change(wanted, differs):
    assert changes(customer_row(record(), 3600), wanted) == differs


@pytest.mark.parametrize(
    ("right", "text"),
    [
        (Right.MANAGE_USERS, "Require Admin Role!"),
        (Right.SEE_BOOKINGS, "Require Moderator or Admin Role!"),
        (Right.END_BOOKINGS, "Require Moderator or Admin Role!"),
        (Right.SEE_SEATS, "Require Moderator or Admin Role!"),
    ],
)
def test_what_somebody_is_told_who_lacks_a_right(right, text):
    assert lack_of(right) == text

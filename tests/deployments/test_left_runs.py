"""How a run is closed that its engine left open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployments.engine.left_runs import end_of_other_run, end_of_run
from models.tables import Booking, utc_now

NOW = utc_now()
SOON, JUST_NOW = NOW + timedelta(seconds=10), NOW - timedelta(seconds=10)


def booking(state, **values):
    return Booking(
        state=state,
        reference="r",
        workshop_id=1,
        seat_id=1,
        seat_generation=1,
        email="a@example.com",
        email_key="a@example.com",
        name="A",
        duration_hours=1,
        content_digest="0",
        **values,
    )


@pytest.mark.parametrize(
    ("flow_name", "row", "expected"),
    [
        ("serve-booking", booking("reserved"), None),
        ("serve-booking", booking("preparing", lease_until=JUST_NOW), None),
        ("serve-booking", booking("ready", ready_at=NOW), "COMPLETED"),
        ("serve-booking", booking("ended", ready_at=NOW), "COMPLETED"),
        ("serve-booking", booking("ending", ready_at=NOW, lease_until=SOON), None),
        ("serve-booking", booking("ending"), "CRASHED"),
        ("serve-booking", booking("failed"), "CRASHED"),
        ("remind-booking", booking("ready", ready_at=NOW, ends_at=SOON), None),
        ("remind-booking", booking("ready", ready_at=NOW, ends_at=JUST_NOW), "CRASHED"),
        ("remind-booking", booking("expiring", ready_at=NOW, ends_at=SOON), "COMPLETED"),
        ("end-booking", booking("ready", ready_at=NOW, ends_at=SOON), "CRASHED"),
        ("end-booking", booking("ending", ready_at=NOW, lease_until=JUST_NOW), None),
        ("end-booking", booking("ended", ready_at=NOW), "COMPLETED"),
        ("abandon-booking", booking("abandoning"), None),
        ("abandon-booking", booking("failed"), "COMPLETED"),
    ],
)
def test_a_run_is_closed_by_what_became_of_its_work(flow_name, row, expected):
    state = end_of_run(flow_name, row, NOW)
    assert (state.type if state else None) == expected


@pytest.mark.parametrize(("engine", "expected"), [("engine-1", None), ("engine-9", "CRASHED"), ("", "CRASHED")])
def test_a_run_about_no_booking_is_closed_once_its_engine_is_gone(engine, expected):
    state = end_of_other_run(engine, {"engine-1", "engine-2"})
    assert (state.type if state else None) == expected

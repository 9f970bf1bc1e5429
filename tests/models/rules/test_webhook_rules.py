from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.rules.booking import TRANSITIONS, BookingState
from models.rules.webhooks import WebhookEvent, signed_headers, webhook_event, webhook_secret


@pytest.mark.parametrize(
    ("event", "state", "expected"),
    [
        ("reserve", "reserved", WebhookEvent.RESERVED),
        ("prepare", "preparing", None),
        ("step", "preparing", None),
        ("failure", "preparing", None),
        ("open", "ready", WebhookEvent.READY),
        ("remind", "expiring", WebhookEvent.REMINDED),
        ("extend", "ready", WebhookEvent.EXTENDED),
        ("expire", "ending", WebhookEvent.ENDING),
        ("leave", "ending", WebhookEvent.ENDING),
        ("give_up", "abandoning", None),
        ("release", "ended", WebhookEvent.ENDED),
        ("release", "failed", WebhookEvent.FAILED),
    ],
)
def test_partners_are_told_what_a_student_notices(event, state, expected):
    assert webhook_event(event, state) == expected


def test_every_booking_that_is_over_is_told():
    last = {(event, step.to) for (_, event), step in TRANSITIONS.items() if step.to in ("ended", "failed")}
    assert last
    assert all(webhook_event(event, state) for event, state in last)


def test_the_signature_is_that_of_the_specification():
    # The example that the specification's own libraries are tested with.
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_webhook_has_a_secret_of_its_own():
    assert webhook_secret("key", "one") == webhook_secret("key", "one")
    assert len({webhook_secret("key", "one"), webhook_secret("key", "two"), webhook_secret("other", "one")}) == 3
    assert webhook_secret("key", "one").startswith("whsec_")


def test_the_states_have_one_name():
    assert {event.partition(".")[2] for event in WebhookEvent} >= {BookingState.READY, BookingState.ENDED}

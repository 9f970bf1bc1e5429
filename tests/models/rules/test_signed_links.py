from datetime import UTC, datetime, timedelta

import pytest

from models.errors import Refused
from models.rules.signed_links import BadgeSort, fingerprint_of, read_badge, read_link, sign_badge, sign_link

KEY, OTHER_KEY = "a-key-for-tests", "another-key"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = 90
REFERENCE = "aVx3bQm0kPzL2nYtR8sW1uEo"


def reason(read, *arguments):
    with pytest.raises(Refused) as refusal:
        read(*arguments)
    return refusal.value.reason


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=1), timedelta(days=DAYS), timedelta(hours=-1)])
def test_a_link_opens_what_it_was_signed_for(age):
    assert read_link(KEY, sign_link(KEY, REFERENCE, NOW - age), NOW, DAYS) == REFERENCE


def test_a_link_ends():
    old = sign_link(KEY, REFERENCE, NOW - timedelta(days=DAYS, seconds=1))
    assert reason(read_link, KEY, old, NOW, DAYS) == "link_expired"


@pytest.mark.parametrize(
    "link",
    [
        "",
        ".",
        "x",
        REFERENCE,
        "é",
        "\ud800",
        "a.b.c",
        "." * 500,
        "x" * 100_000,
        sign_link(OTHER_KEY, REFERENCE, NOW),
        sign_link(KEY, REFERENCE, NOW)[:-1],
        sign_link(KEY, REFERENCE, NOW) + "x",
        sign_link(OTHER_KEY, REFERENCE, NOW - timedelta(days=2 * DAYS)),
        sign_badge(KEY, BadgeSort.WORKSHOP, 1, REFERENCE),
    ],
)
def test_what_was_not_signed_as_a_link_opens_nothing(link):
    assert reason(read_link, KEY, link, NOW, DAYS) == "link_unknown"


@pytest.mark.parametrize("position", range(0, 60, 7))
def test_a_changed_letter_spoils_a_link(position):
    link = sign_link(KEY, REFERENCE, NOW)
    changed = link[:position] + ("A" if link[position] != "A" else "B") + link[position + 1 :]
    assert reason(read_link, KEY, changed, NOW, DAYS) == "link_unknown"


@pytest.mark.parametrize("sort", BadgeSort)
def test_a_code_names_its_badge_and_not_the_booking(sort):
    code = sign_badge(KEY, sort, 12, REFERENCE)
    named = read_badge(KEY, code)
    assert (named.sort, named.row_id, named.fingerprint) == (sort, 12, fingerprint_of(REFERENCE))
    assert REFERENCE not in code
    assert fingerprint_of(REFERENCE) != fingerprint_of(REFERENCE + "x")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "x",
        "MTI.Xk2aB9",
        "é",
        "\ud800",
        "x" * 100_000,
        sign_badge(OTHER_KEY, BadgeSort.SPECIAL, 1, REFERENCE),
        sign_badge(KEY, BadgeSort.WORKSHOP, 1, REFERENCE)[:-1],
        sign_link(KEY, REFERENCE, NOW),
    ],
)
def test_what_was_not_signed_as_a_code_proves_nothing(code):
    assert reason(read_badge, KEY, code) == "badge_unknown"

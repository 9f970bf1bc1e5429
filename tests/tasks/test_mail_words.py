from __future__ import annotations

import pytest
from mail_samples import ENDS_AT

from tasks.mail_words import completion, duration, kept, moment


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (4, "4 hours"),
        (1, "1 hour"),
        (0.5, "30 minutes"),
        (1 / 60, "1 minute"),
        (2.5, "2 hours 30 minutes"),
        (25, "25 hours"),
        (47.99, "47 hours 59 minutes"),
        (48, "2 days"),
        (14 * 24, "14 days"),
        (10 / 3600, "10 seconds"),
        (0.9999, "1 hour"),
    ],
)
def test_lengths_in_words(hours: float, words: str) -> None:
    assert duration(hours) == words


def test_moments_in_words() -> None:
    assert moment(ENDS_AT) == "Monday 23 November 2026, 18:05 UTC"
    assert kept(14, ENDS_AT) == "for 14 days, until Monday 23 November 2026, 18:05 UTC"
    assert kept(0, ENDS_AT) == "until Monday 23 November 2026, 18:05 UTC"
    assert kept(0, None) == ""


@pytest.mark.parametrize(
    ("executed", "total", "words"), [(1, 1, "all of its 1 code cell:"), (1, 3, "33%"), (0, 0, "")]
)
def test_completion_in_words(executed: int, total: int, words: str) -> None:
    assert words in completion(executed, total)

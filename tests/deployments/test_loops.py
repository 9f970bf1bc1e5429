"""How the engine's log tells of errors."""

import pytest

from deployments.engine.loops import summary


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no seat"), "ValueError: no seat"),
        (ValueError("no seat\nat all"), "ValueError: no seat"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_is_one_line(error, expected):
    assert summary(error) == expected

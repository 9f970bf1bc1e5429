from __future__ import annotations

import pytest

from models.rules.completion import completion_percent


@pytest.mark.parametrize(
    ("executed", "total", "percent"),
    [
        (0, 0, 0),
        (0, 7, 0),
        (7, 7, 100),
        (1, 3, 33),
        (2, 3, 66),
        (999, 1000, 99),
        (9, 7, 100),
        (-1, 7, 0),
        (3, 0, 0),
    ],
)
def test_completion_is_the_share_of_executed_cells_rounded_down(executed: int, total: int, percent: int) -> None:
    assert completion_percent(executed, total) == percent

"""How far a student got, as it is told to the student."""

from __future__ import annotations


def completion_percent(executed: int, total: int) -> int:
    """Return the share of `total` code cells that were `executed`, in whole percent from 0 to 100.

    Rounded down, so that 100 means all of them; 0 when there is nothing to execute.
    """
    return min(100, max(0, executed) * 100 // total) if total > 0 else 0

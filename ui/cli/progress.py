"""Live progress of work on several machines: a line for each finished step, and what is under way."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.live import Live
from rich.table import Table

from ui.cli.console import errors

_COLORS = {"changed": "green", "failed": "red", "unknown": "red"}


class Progress:
    """Shows what is under way, while the terminal is one, and with `tells_changes` each change as it comes."""

    def __init__(self, *, tells_changes: bool) -> None:
        self._tells_changes = tells_changes
        self._started = time.monotonic()
        self._under_way: dict[str, tuple[str, str, float]] = {}
        self._live = Live(console=errors, get_renderable=self._table, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if errors.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if errors.is_terminal:
            self._live.stop()

    def hear(self, machine: str, role: str, outcome: Any) -> None:
        """Take notice of a step of a role on a machine; one that changed nothing is not told of."""
        if outcome.event == "begun":
            self._under_way[machine] = (role, outcome.key, time.monotonic())
            return
        self._under_way.pop(machine, None)
        color = _COLORS.get(outcome.event)
        if color and self._tells_changes:
            at = time.monotonic() - self._started
            errors.print(
                f"\\[{at:6.1f} s] {machine:<14} {role:<9} [{color}]{outcome.event}[/{color}] {outcome.key}"
                f" ({outcome.seconds:.1f} s)",
                highlight=False,
                soft_wrap=True,
            )

    def _table(self) -> Table:
        table = Table(show_header=False, box=None, pad_edge=False)
        for machine, (role, key, begun) in sorted(self._under_way.items()):
            table.add_row(machine, role, f"{key} …", f"{time.monotonic() - begun:.0f} s")
        return table

"""Where the commands write: results to stdout, everything about them to stderr."""

from __future__ import annotations

from rich.console import Console

output = Console()
errors = Console(stderr=True)

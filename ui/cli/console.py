"""Where the commands write: results to stdout, everything about them to stderr."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from models.errors import Problem, Severity

output = Console()
errors = Console(stderr=True)


def print_problems(problems: list[Problem]) -> None:
    """Print problems of somebody's input, one a line."""
    console = Console(soft_wrap=True, highlight=False)
    for problem in problems:
        color = "red" if problem.severity is Severity.ERROR else "yellow"
        place, _, rest = escape(str(problem)).partition(f": {problem.severity}: ")
        console.print(f"{place}: [{color}]{problem.severity}[/{color}]: {rest}")

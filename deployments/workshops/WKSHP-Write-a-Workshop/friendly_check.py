"""Checks that talk to the student: `with check("Step 1.1"): assert answer == 4, "what to try next"`.

A failed check shows its message in a box instead of a traceback, so that the notebook can be run on.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.display import display


@contextmanager
def check(step: str) -> Iterator[None]:
    """Show whether the assertions inside hold; an error among them counts as not solved yet."""
    try:
        yield
    except AssertionError as error:
        _show(step, str(error) or "That is not it yet.", solved=False)
    except NameError as error:
        _show(step, f"{error}: run the cell with your answer first.", solved=False)
    except Exception as error:
        if "ellipsis" in str(error).lower():
            _show(step, "Replace each ... with your own code.", solved=False)
        else:
            _show(step, f"Your code stopped with {type(error).__name__}: {error}", solved=False)
    else:
        _show(step, "Well done!", solved=True)


def _show(step: str, message: str, *, solved: bool) -> None:
    sign, word, color = ("✔", "", "1,119,90") if solved else ("✘", "Not yet. ", "214,124,14")
    text = f"{step}: {word}{message}"
    style = f"border-left:5px solid rgb({color});background:rgba({color},.12);padding:.6em 1em;border-radius:4px"
    page = f'<div style="{style}"><b>{sign}</b>&nbsp; {html.escape(text)}</div>'
    display({"text/plain": f"{sign} {text}", "text/html": page}, raw=True)

"""Whose address a request to the hub has: the log tells it, and by it those are kept out who try passwords."""

# Checked where tornado is not installed.
# mypy: ignore-errors

from __future__ import annotations

from tornado import httpserver


def believe_forwarded_for_alone() -> None:
    """Let no X-Real-Ip count: tornado believes it most, and the proxy passes on what anybody sends.

    To X-Forwarded-For the proxy adds at its end whom it was asked by, and that is what tornado takes of it.
    """
    context = httpserver._HTTPRequestContext
    apply_headers = context._apply_xheaders

    def apply(self, headers):
        headers.pop("X-Real-Ip", None)
        apply_headers(self, headers)

    context._apply_xheaders = apply

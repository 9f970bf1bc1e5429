"""Whose address a request to the hub has: the log tells it, and by it those are kept out who try passwords."""

# Checked where tornado is not installed.
# mypy: ignore-errors

from __future__ import annotations

from tornado import httpserver

PROXY = "127.0.0.1"


def believe_the_proxy_alone() -> None:
    """Take whom the proxy says that it was asked by; from anybody else, nothing but where they come from.

    To X-Forwarded-For the proxy adds that at the end, and tornado takes the end. X-Real-Ip, which tornado believes
    more, the proxy passes on as anybody sends it. Seats of an installed stack come from another address than the
    proxy, by a rule of their machine's firewall.
    """
    context = httpserver._HTTPRequestContext
    apply_headers = context._apply_xheaders

    def apply(self, headers):
        headers.pop("X-Real-Ip", None)
        if self._orig_remote_ip == PROXY:
            apply_headers(self, headers)

    context._apply_xheaders = apply

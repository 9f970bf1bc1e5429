"""How many requests this process has answered, and how fast."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import Scope

# Up to the second in which people wait for a page, and what lies far beyond.
_LIMITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def route_of(scope: Scope) -> str:
    """Return the route that served a request, never its path: a path holds references."""
    return getattr(scope.get("route"), "path", "none")


class RequestMetrics:
    """Counts by method, route and status; in the registry of one application, from its start on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "wod_api_request_seconds",
            "Time until a request of the API was answered.",
            ("method", "route", "status"),
            buckets=_LIMITS,
            registry=self.registry,
        )

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request."""
        # What anybody can make up must not become a series each.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._seconds.labels(method, route_of(scope), str(status)).observe(seconds)

"""All routes that the existing system has."""

from __future__ import annotations

from ui.api.legacy import closed, customers, greetings, letters, logins, offers, places

ROUTERS = [part.router for part in (logins, customers, places, offers, letters, closed, greetings)]

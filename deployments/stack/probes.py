"""Asking a service whether it is ready, in its own protocol; an open port alone proves nothing.

A probe is an address: `http://…` must answer 200, `smtp://host:port` must greet, `postgres://host:port` must
ask for a password (while it starts or recovers it refuses), `file:///…` must exist.
"""

from __future__ import annotations

import http.client
import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0

_PROTOCOL_3 = 196608
_ASKS_FOR_PASSWORD = b"R"
_ERROR = b"E"


def why_not_ready(probe: str) -> str:
    """Return why the service behind `probe` isn't ready, in a few words; empty when it is."""
    scheme, _, rest = probe.partition("://")
    if scheme == "file":
        return "" if Path(rest).exists() else "not there yet"
    try:
        return {"http": _ask_http, "smtp": _ask_smtp, "postgres": _ask_postgres}[scheme](probe)
    except (OSError, http.client.HTTPException) as error:
        return (
            "nothing listens" if isinstance(error, ConnectionRefusedError) else str(error) or type(error).__name__
        )


def _ask_http(probe: str) -> str:
    address = urlsplit(probe)
    connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", address.path or "/", headers={"Connection": "close"})
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == http.client.OK else f"answers {status}"


def _ask_smtp(probe: str) -> str:
    with _connect(probe) as connection:
        greeting = connection.recv(3)
    return "" if greeting == b"220" else f"answers {greeting.decode(errors='replace')!r}"


def _ask_postgres(probe: str) -> str:
    options = b"user\0probe\0database\0probe\0\0"
    with _connect(probe) as connection:
        connection.sendall(struct.pack("!ii", len(options) + 8, _PROTOCOL_3) + options)
        answer = connection.recv(1024)[:1]  # all of it: PostgreSQL would log a reset connection
    if answer == _ERROR:
        return "starts or recovers"
    return "" if answer == _ASKS_FOR_PASSWORD else "hangs up"


def _connect(probe: str) -> socket.socket:
    address = urlsplit(probe)
    return socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_SECONDS)

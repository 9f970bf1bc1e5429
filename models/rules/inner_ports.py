"""The loopback ports of an installed machine's services, behind the ports that its stack names."""

from __future__ import annotations

API_PORT = 9101
PREFECT_PORT = 9102
CATALOG_PORT = 9103
HUB_PORT = 9104
PROXY_API_PORT = 9105
PROXY_PORT = 9106

"""JupyterHub over its REST API: users, and their servers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import httpx

from models.errors import StepFailed
from tasks.adapters.trust import trust

REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.2


class ServerState(StrEnum):
    """How far a user's Jupyter server is."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class Hub:
    """A hub's REST API at `url` (the hub's or its proxy's address, without /hub/api), with a service's token.

    A certificate must be of an authority that this machine trusts (OpenSSL's defaults, SSL_CERT_FILE), or of
    one in `ca_file`.

    Errors are StepFailed: `hub_unreachable` when nothing, or only a proxy, answers; `hub_busy` when it asks
    to wait, or something takes longer than it may; `hub_refused` for any other answer than promised;
    `spawn_failed` when a server can't be started. Nothing is tried again but waiting for what is under way.
    """

    def __init__(self, url: str, token: str, *, ca_file: Path | None = None) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/hub/api",
            headers={"Authorization": f"token {token}"},
            timeout=REQUEST_SECONDS,
            trust_env=False,
            verify=trust(ca_file),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until the hub answers and takes the token."""
        deadline = monotonic() + timeout_seconds
        while True:
            try:
                await self.look()
            except StepFailed as failure:
                if failure.reason != "hub_unreachable" or monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)
            else:
                return

    async def look(self) -> None:
        """See that the hub answers, and takes the token."""
        self._expect(await self._request("GET", "/users?limit=1"), 200)

    async def ensure_user(self, name: str) -> bool:
        """Let the user `name` log in, by the password of its seat; tell whether it was unknown until now."""
        answer = await self._request("POST", _path(name))
        self._expect(answer, 201, 409)
        return answer.status_code == 201

    async def delete_user(self, name: str, timeout_seconds: float = 60) -> bool:
        """Stop the user's server and forget the user, whose log-ins and tokens end; False: it was unknown.

        A server that is starting is stopped first: a hub would forget its user, and leave the server.
        """
        deadline = monotonic() + timeout_seconds
        while (state := await self._state(name)) not in (None, ServerState.STOPPED):
            if state is not ServerState.STOPPING:
                answer = await self._request("DELETE", f"{_path(name)}/server")
                # 400 and 500: something else is under way with it, which the state will tell.
                self._expect(answer, 202, 204, 400, 404, 500)
            self._check_time(deadline, f"The server of {name} does not stop.")
            await asyncio.sleep(POLL_SECONDS)
        while True:
            answer = await self._request("DELETE", _path(name))
            if answer.status_code != 400:
                self._expect(answer, 204, 404)
                return answer.status_code == 204
            self._check_time(deadline, f"{name} can't be removed: {_message(answer)}")
            await asyncio.sleep(POLL_SECONDS)

    async def start_server(self, name: str) -> bool:
        """Start the user's server; False: it runs already.

        The hub answers when the server is up, or still isn't after 10 s: `server_state` tells then.
        """
        answer = await self._request("POST", f"{_path(name)}/server")
        if answer.status_code == 500:
            raise StepFailed(
                f"The Jupyter server of {name} can't be started.", reason="spawn_failed", detail=_message(answer)
            )
        if answer.status_code == 429:
            raise StepFailed("Too many Jupyter servers are starting.", reason="hub_busy", detail=_message(answer))
        if answer.status_code == 400 and "already running" in _message(answer):
            return False
        self._expect(answer, 201, 202)
        return True

    async def server_state(self, name: str) -> ServerState:
        """Return how far the user's server is; that of an unknown user is stopped."""
        return await self._state(name) or ServerState.STOPPED

    async def _state(self, name: str) -> ServerState | None:
        answer = await self._request("GET", _path(name))
        if answer.status_code == 404:
            return None
        self._expect(answer, 200)
        user: dict[str, Any] = answer.json()
        if user["pending"] == "stop":
            return ServerState.STOPPING
        if user["pending"]:
            return ServerState.STARTING
        return ServerState.READY if user["server"] else ServerState.STOPPED

    async def _request(self, method: str, path: str) -> httpx.Response:
        try:
            answer = await self._client.request(method, path)
        except httpx.HTTPError as error:
            raise self._unreachable(f"{type(error).__name__} {error}") from None
        # A proxy whose hub is away answers so; a hub says who it is.
        if "x-jupyterhub-version" not in answer.headers:
            raise self._unreachable(f"{method} {path}: HTTP {answer.status_code}, not from a hub")
        return answer

    def _unreachable(self, detail: str) -> StepFailed:
        return StepFailed(f"JupyterHub does not answer at {self._url}.", reason="hub_unreachable", detail=detail)

    def _expect(self, answer: httpx.Response, *expected: int) -> None:
        if answer.status_code not in expected:
            request = answer.request
            raise StepFailed(
                f"JupyterHub refused {request.method} {request.url.path} (HTTP {answer.status_code}).",
                reason="hub_refused",
                detail=_message(answer),
            )

    @staticmethod
    def _check_time(deadline: float, message: str) -> None:
        if monotonic() > deadline:
            raise StepFailed(message, reason="hub_busy")


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _message(answer: httpx.Response) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return str(answer.json()["message"])
    return answer.text[:500]

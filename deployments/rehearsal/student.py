"""A student at the hub: logs in through the form, opens JupyterLab and runs notebooks."""

from __future__ import annotations

import asyncio
import json
import time
from types import TracebackType
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect

from models.errors import StepFailed
from tasks.adapters.doors import fill_log_in_form

_POLL_SECONDS = 0.2


class Student:
    """One browser's worth of cookies at a hub.

    `hub_url` is the address in the credentials mail's button up to and without `/hub`.
    """

    def __init__(self, hub_url: str, account: str) -> None:
        self._hub_url = hub_url
        self._account = account
        self._browser = httpx.AsyncClient(base_url=hub_url, follow_redirects=True, timeout=30)

    async def __aenter__(self) -> Student:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._browser.aclose()

    async def log_in(self, password: str) -> bool:
        """Fill the log-in form in; return whether the hub lets the student in."""
        return await fill_log_in_form(self._browser, self._hub_url, self._account, password)

    async def open_lab(self, timeout_seconds: float = 60) -> str:
        """Start the student's server and wait for it; return the address on which JupyterLab opens.

        Raises:
            StepFailed: lab_not_opened, after `timeout_seconds`.
        """
        await self._browser.get(f"/hub/spawn/{self._account}")
        deadline = time.monotonic() + timeout_seconds
        while True:
            # A page, not the API: pages take the student through the hub's authorisation.
            answer = await self._browser.get(f"/user/{self._account}/")
            if answer.status_code == 200 and answer.url.path.startswith(f"/user/{self._account}/lab"):
                return answer.url.path
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        raise StepFailed(
            f"JupyterLab did not open within {timeout_seconds:.0f} s.",
            reason="lab_not_opened",
            detail=f"last answer {answer.status_code} at {answer.url.path}",
        )

    async def is_served(self) -> bool:
        """Tell whether the student's server answers the student; the hub's own pages don't count."""
        path = f"/user/{self._account}/api/status"
        answer = await self._browser.get(path)
        return answer.status_code == 200 and answer.url.path == path

    async def notebooks(self, folder: str) -> list[str]:
        """Return the paths of a folder's notebooks, in order."""
        listing = await self._api("GET", f"contents/{folder}")
        return sorted(each["path"] for each in listing["content"] if each["type"] == "notebook")

    async def run_notebook(self, path: str, timeout_seconds: float = 60) -> int:
        """Run each code cell of a notebook in its kernel and save it; return how many ran."""
        document = (await self._api("GET", f"contents/{path}"))["content"]
        kernel = document["metadata"]["kernelspec"]["name"]
        session = await self._api(
            "POST",
            "sessions",
            {"path": path, "name": path, "type": "notebook", "kernel": {"name": kernel}},
        )
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        channel = (
            f"{self._hub_url.replace('http', 'ws', 1)}/user/{self._account}"
            f"/api/kernels/{session['kernel']['id']}/channels"
        )
        headers = {"Cookie": self._cookies_for(f"/user/{self._account}/")}
        async with asyncio.timeout(timeout_seconds), connect(channel, additional_headers=headers) as socket:
            for cell in cells:
                cell["execution_count"] = await _execute(socket, cell["source"])
        await self.save_notebook(path, document)
        await self._api("DELETE", f"sessions/{session['id']}")
        return len(cells)

    async def save_notebook(self, path: str, document: Any) -> None:
        """Save a notebook, given as the content of its file, read as JSON."""
        await self._api("PUT", f"contents/{path}", {"type": "notebook", "content": document})

    async def as_pdf(self, path: str, timeout_seconds: float = 60) -> bytes:
        """Return a notebook as PDF, got as JupyterLab's menu gets it.

        Raises:
            StepFailed: notebook_not_exported, with what the server said.
        """
        answer = await self._browser.get(
            f"/user/{self._account}/nbconvert/pdf/{quote(path)}",
            params={"download": "true", "_xsrf": self._cookie(f"/user/{self._account}/")},
            timeout=timeout_seconds,
        )
        if answer.is_error or not answer.content.startswith(b"%PDF"):
            detail = f"{path}: {answer.status_code} {answer.text[-500:]}"
            raise StepFailed("A notebook became no PDF.", reason="notebook_not_exported", detail=detail)
        return answer.content

    async def _api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._browser.request(
            method,
            f"/user/{self._account}/api/{path}",
            json=body,
            headers={"X-XSRFToken": self._cookie(f"/user/{self._account}/")},
        )
        if answer.is_error:
            raise StepFailed(
                "The student's server refused a request.",
                reason="lab_refused",
                detail=f"{method} {path}: {answer.status_code} {answer.text[:200]}",
            )
        return answer.json() if answer.content else None

    def _cookie(self, path: str) -> str:
        found = [each.value for each in self._browser.cookies.jar if each.name == "_xsrf" and each.path == path]
        return found[0] if found and found[0] else ""

    def _cookies_for(self, path: str) -> str:
        return "; ".join(
            f"{each.name}={each.value}" for each in self._browser.cookies.jar if path.startswith(each.path)
        )


async def _execute(socket: Any, source: str | list[str]) -> int:
    """Run one cell; return its execution count."""
    message_id = uuid4().hex
    code = source if isinstance(source, str) else "".join(source)
    header = {"msg_id": message_id, "msg_type": "execute_request", "username": "", "session": uuid4().hex}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
    await socket.send(
        json.dumps(
            {
                "header": header | {"version": "5.3", "date": ""},
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
                "buffers": [],
            }
        )
    )
    async for text in socket:
        answer = json.loads(text)
        if answer["msg_type"] == "execute_reply" and answer["parent_header"].get("msg_id") == message_id:
            return int(answer["content"]["execution_count"])
    raise StepFailed("The kernel closed its connection.", reason="kernel_lost")

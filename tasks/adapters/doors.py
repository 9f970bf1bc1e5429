"""The doors of a stack as people and programs find them: certificates, pages, and log-ins."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from models.errors import StepFailed
from tasks.adapters.certificates import CertifiedKey, days_in_all, days_left
from tasks.adapters.trust import trust

ASK_SECONDS = 20.0
_XSRF = re.compile(r'name="_xsrf" value="([^"]*)"')


class Answer(NamedTuple):
    """What a door answered."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The answer read as JSON; None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class CertificateDays(NamedTuple):
    """For how many days a certificate is good: from now, and in all."""

    left: float
    in_all: float


class Doors:
    """Access to doors whose certificates must be of an authority that this machine trusts, or in `ca_file`.

    Errors are StepFailed: `certificate_wrong`, saying what is wrong with it; `door_closed` when nobody answers.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        self._trust = trust(ca_file)
        self._client = self._new_client()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def certificate_days(self, url: str, now: datetime) -> CertificateDays:
        """Return for how long the certificate at an https address is good; its names are checked."""
        host, port = urlsplit(url).hostname or "", urlsplit(url).port or 443
        try:
            async with asyncio.timeout(ASK_SECONDS):
                _, writer = await asyncio.open_connection(host, port, ssl=self._trust)
        except OSError as error:
            raise _explained(url, error) from None
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        certificate = CertifiedKey("", ssl.DER_cert_to_PEM_cert(shown))
        return CertificateDays(days_left(certificate, now), days_in_all(certificate))

    async def ask(
        self, method: str, url: str, *, body: Any = None, login: tuple[str, str] | None = None
    ) -> Answer:
        """Return what an address answers, whatever its status."""
        try:
            answer = await self._client.request(method, url, json=body, auth=login)
        except httpx.HTTPError as error:
            raise _explained(url, error) from None
        return Answer(answer.status_code, answer.text)

    async def logs_in(self, hub_url: str, account: str, password: str) -> bool:
        """Fill the log-in form of a hub in, and tell whether it lets the account in."""
        async with self._new_client() as browser:
            try:
                return await fill_log_in_form(browser, hub_url, account, password)
            except httpx.HTTPError as error:
                raise _explained(hub_url, error) from None

    def _new_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self._trust, timeout=ASK_SECONDS, trust_env=False, follow_redirects=True)


async def fill_log_in_form(browser: httpx.AsyncClient, hub_url: str, account: str, password: str) -> bool:
    """Log in at a hub with the browser's cookies; return whether the hub lets the account in."""
    page = await browser.get(f"{hub_url}/hub/login")
    token = _XSRF.search(page.text)
    form = {"username": account, "password": password, "_xsrf": token[1] if token else ""}
    answer = await browser.post(f"{hub_url}/hub/login?next=/hub/home", data=form)
    return answer.status_code == 200 and answer.url.path == "/hub/home"


def _explained(url: str, error: Exception) -> StepFailed:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message
        return StepFailed(f"The certificate of {url} is not good: {why}.", reason="certificate_wrong")
    detail = f"{type(error).__name__} {error}"
    return StepFailed(f"{url} does not answer ({detail.strip()}).", reason="door_closed", detail=detail)

"""Posting to addresses of partners: they are strangers', so nothing of ours may be reached through them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from models.errors import StepFailed
from models.rules.partner_addresses import is_loopback_host, is_public
from tasks.adapters.trust import trust

# What the Standard Webhooks specification recommends is 15 to 30 s; nobody's answer is worth that long.
ANSWER_SECONDS = 10.0
_ADDRESSES = 3  # of one name that are tried

# Look-ups that go on at once. One that is given up goes on for as long as resolv.conf(5) tries: three name
# servers, twice each, 5 s a time, for each search domain. An engine begins at most eight in ANSWER_SECONDS.
_LOOK_UPS = 64


class WebhookSender:
    """Posts to public addresses, and with `takes_loopback` to this machine, too.

    A name is looked up once, and what it leads to is both checked and used: a name that answers differently the
    second time leads nowhere else. Redirects are not followed, and answers are not read. Name servers of partners
    may hang, so names are looked up in threads of which no other work needs one.
    """

    def __init__(self, *, takes_loopback: bool) -> None:
        self._takes_loopback = takes_loopback
        self._look_ups = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up")
        self._client = httpx.AsyncClient(
            trust_env=False,
            verify=trust(None),
            # A kept connection would be one to an address, whatever name it was checked for.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "workshops-on-demand"},
            timeout=ANSWER_SECONDS,
        )

    async def close(self) -> None:
        """Close the connections; a look-up that hangs is waited for by nothing but the end of the process."""
        self._look_ups.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post JSON; return the status of the answer, whatever it is.

        Raises:
            StepFailed: webhook_unreachable, webhook_too_slow or webhook_private; the message is for the partner.

        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._post(httpx.URL(url), body, headers)
        except (TimeoutError, httpx.TimeoutException):
            raise StepFailed(
                f"The address did not answer within {ANSWER_SECONDS:.0f} seconds.", reason="webhook_too_slow"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise StepFailed(_explained(error), reason="webhook_unreachable", detail=f"{error!r}") from None

    async def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
        addresses = await self._addresses(url)
        for number, address in enumerate(addresses, 1):
            request = self._client.build_request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**headers, "Content-Type": "application/json", "Host": url.netloc.decode()},
                extensions={"sni_hostname": url.raw_host.decode()},
            )
            try:
                answer = await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if number == len(addresses):
                    raise
                continue
            await answer.aclose()
            return answer.status_code
        raise OSError("no address")

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Return what a name leads to, after making sure that none of it is ours to protect."""
        port = url.port or (443 if url.scheme == "https" else 80)
        look_up = partial(socket.getaddrinfo, url.raw_host.decode(), port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._look_ups, look_up)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        takes_loopback = self._takes_loopback and is_loopback_host(url.host)
        if not all(_is_allowed(each, takes_loopback=takes_loopback) for each in addresses):
            raise StepFailed("The address leads into a private network.", reason="webhook_private")
        return addresses[:_ADDRESSES]


def _is_allowed(text: str, *, takes_loopback: bool) -> bool:
    address = ipaddress.ip_address(text)
    return is_public(address) or (takes_loopback and address.is_loopback)


def _explained(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(error, socket.gaierror):
        return "The name of the address can't be resolved."
    if isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError) or "certificate" in str(error).lower():
        return "The address has no certificate that can be trusted."
    return "The address can't be reached."

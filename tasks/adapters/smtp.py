"""Handing mails to the mail server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from functools import cached_property
from typing import Any

import aiosmtplib

from models.errors import Refused, StepFailed, WodError
from models.settings import Settings

# Connections are kept between mails. Measured with a server on this machine, a mail costs 2.8 + 5.2 ms of CPU
# (client + server) on a kept connection and 4.0 + 6.5 ms on its own one; 3.1 + 5.5 and 5.9 + 7.1 ms with TLS.
KEPT_CONNECTIONS = 4
# A firewall may have forgotten an older connection, and its next command would wait for nothing.
KEPT_SECONDS = 30


class Mailer:
    """The mail server of the settings, to be used from one event loop; `send` may run concurrently.

    Connections are made when needed, kept for a while, and replaced when the server has restarted.

    Raises:
        Refused: secret_missing, when there is a log-in name but no password; mail_login_in_clear, when the
            password would cross a network unencrypted.

    """

    def __init__(self, settings: Settings) -> None:
        self._host, self._port = settings.smtp_host, settings.port("smtp")
        self._encryption = settings.smtp_encryption
        self._timeout = settings.step_timeout_seconds
        self._greeting_name = settings.mail_sender.rpartition("@")[2]
        self._login = _login(settings)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []

    async def send(self, message: EmailMessage) -> None:
        """Hand a mail over; when this returns, the server has taken it.

        A server that dies between taking a mail and saying so gets it again, with the same Message-ID.

        Raises:
            Refused: mail_refused, when the server will never take this mail or write to this address.
            StepFailed: mail_postponed (the server can't take it now), mail_sender_refused,
                mail_login_failed or mail_unreachable (no connection, no encryption, no answer in time).

        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _explained(error, f"{self._host}:{self._port}") from error

    async def close(self) -> None:
        """Take leave of the server on all kept connections."""
        while self._idle:
            _, connection = self._idle.pop()
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await connection.quit()
            connection.close()

    async def _send(self, message: EmailMessage) -> None:
        sender = message["From"].addresses[0].addr_spec
        recipients = [address.addr_spec for address in message["To"].addresses]
        content = message.as_bytes()
        if kept := self._take_kept():
            try:
                async with self._giving_back(kept):
                    await kept.sendmail(sender, recipients, content)
                return
            except aiosmtplib.SMTPException as error:
                if not _has_left(error):
                    raise
        connection = await self._connect()
        async with self._giving_back(connection):
            await connection.sendmail(sender, recipients, content)

    def _take_kept(self) -> aiosmtplib.SMTP | None:
        youngest = asyncio.get_running_loop().time() - KEPT_SECONDS
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_connected and since >= youngest:
                return connection
            connection.close()
        return None

    async def _connect(self) -> aiosmtplib.SMTP:
        username, password = self._login or (None, None)
        connection = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=username,
            password=password,
            # Without a name given, each connection would look up this machine's.
            local_hostname=self._greeting_name,
            timeout=self._timeout,
            use_tls=self._encryption == "tls",
            start_tls=self._encryption == "starttls",
            tls_context=None if self._encryption == "none" else self._tls_context,
        )
        await connection.connect()
        return connection

    @contextlib.asynccontextmanager
    async def _giving_back(self, connection: aiosmtplib.SMTP) -> AsyncIterator[None]:
        """Keep the connection after the block; close it when the block fails or enough are kept."""
        is_sound = False
        try:
            yield
            is_sound = connection.is_connected and len(self._idle) < KEPT_CONNECTIONS
        finally:
            if is_sound:
                self._idle.append((asyncio.get_running_loop().time(), connection))
            else:
                connection.close()

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        """The machine's certificate authorities, read once: that takes 40 ms of CPU."""
        return ssl.create_default_context()


async def send(message: EmailMessage, settings: Settings) -> None:
    """Hand over a single mail, as `Mailer.send` does, on a connection of its own."""
    mailer = Mailer(settings)
    try:
        await mailer.send(message)
    finally:
        await mailer.close()


def _login(settings: Settings) -> tuple[str, str] | None:
    if not settings.smtp_username:
        return None
    if settings.smtp_encryption == "none" and not _is_this_machine(settings.smtp_host):
        raise Refused(
            "The password for the mail server would cross the network in clear. Set smtp_encryption to"
            " starttls or tls, or smtp_username to nothing.",
            reason="mail_login_in_clear",
        )
    return settings.smtp_username, settings.secret("smtp_password")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_left(error: Exception) -> bool:
    """Tell whether a kept connection failed only because the server has ended it: 421 is its last word."""
    return isinstance(error, aiosmtplib.SMTPServerDisconnected) or _code(error) == 421


def _code(error: Any) -> int:
    """Return the server's answer; of several refused recipients the mildest."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return min(each.code for each in error.recipients)
    return getattr(error, "code", 0)


def _explained(error: Exception, server: str) -> WodError:
    detail = f"{server}: {type(error).__name__}: {error}"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return StepFailed(
            "The mail server did not accept our log-in. Check smtp_username and the secret smtp_password.",
            reason="mail_login_failed",
            detail=detail,
        )
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and _code(error) >= 500:
        return StepFailed(
            "The mail server does not take mail from our address. Check mail_sender.",
            reason="mail_sender_refused",
            detail=detail,
        )
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) and _code(error) >= 500:
        return Refused(
            "The mail server refused this mail for good. The student's address may be wrong.",
            reason="mail_refused",
            detail=detail,
        )
    if _code(error):
        return StepFailed(
            "The mail server can't take this mail now. It will be tried again.",
            reason="mail_postponed",
            detail=detail,
        )
    return StepFailed(
        "The mail server can't be reached. Check smtp_host, smtp_port and smtp_encryption.",
        reason="mail_unreachable",
        detail=detail,
    )

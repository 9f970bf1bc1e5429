"""Real mail servers to test with, in this process or in one of their own."""

from __future__ import annotations

import asyncio
import mailbox
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

from models.rules.booking import MailKind
from models.settings import Settings
from tasks.adapters.smtp import Mailer
from tasks.mail import MailContext, branding, compose


class Server(Mailbox):
    """A mail server in this process: keeps a Maildir, counts connections, and refuses once what it is told to."""

    def __init__(self, folder: Path, refusals: dict[str, str]) -> None:
        super().__init__(str(folder))
        self.folder = folder
        self.refusals = refusals
        self.port = 0
        self.connections = 0

    async def handle_MAIL(  # noqa: N802 - the server's hook
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.refusals.pop("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.refusals.pop("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.refusals:
            return self.refusals.pop("DATA")
        return str(await super().handle_DATA(server, session, envelope))


def messages(folder: Path) -> list[EmailMessage]:
    parsed = [message_from_bytes(each.as_bytes(), policy=default) for each in mailbox.Maildir(str(folder))]
    assert all(isinstance(each, EmailMessage) for each in parsed)
    return parsed  # type: ignore[return-value]


Start = Callable[..., Awaitable[Server]]


@asynccontextmanager
async def mail_servers(folder: Path) -> AsyncIterator[Start]:
    """Give a function that starts a server with a Maildir in `folder`; all are closed in the end."""
    running: list[asyncio.Server] = []

    async def start_server(
        refusals: dict[str, str] | None = None, tls: ssl.SSLContext | None = None, **options: Any
    ) -> Server:
        kept = Server(folder / "mail", refusals or {})

        def accept() -> SMTP:
            kept.connections += 1
            return SMTP(kept, hostname="mail.test", **options)

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0, ssl=tls)
        running.append(server)
        kept.port = server.sockets[0].getsockname()[1]
        return kept

    yield start_server
    for server in running:
        server.close()


def settings_for(server: Server, **given: Any) -> Settings:
    return Settings(
        smtp_port=server.port, mail_sender="workshops@wod.example.com", **{"step_timeout_seconds": 5, **given}
    )


def a_mail(reference: str = "r1") -> EmailMessage:
    context = MailContext(
        reference=reference,
        student_name="Ana",
        workshop_title="L'été des données \u2013 “grand”",
        duration_hours=4,
        own_page_url="https://wod.example.com/session",
    )
    brand = branding(Settings(mail_sender="workshops@wod.example.com"))
    return compose(MailKind.WELCOME, "ana@example.com", context, brand)


@asynccontextmanager
async def mailer_for(settings: Settings) -> AsyncIterator[Mailer]:
    mailer = Mailer(settings)
    yield mailer
    await mailer.close()


@asynccontextmanager
async def server_process(port: int, folder: Path) -> AsyncIterator[None]:
    """Run a mail server of its own, and kill it with -9 in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Mailbox",
        str(folder),
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield
    finally:
        process.kill()
        await process.wait()

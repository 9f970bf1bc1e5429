from __future__ import annotations

import asyncio
import datetime
import ipaddress
import mailbox
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.errors import Refused, StepFailed
from models.rules.booking import MailKind
from models.settings import Settings
from tasks.adapters import smtp
from tasks.adapters.smtp import Mailer, send
from tasks.mail import MailContext, branding, compose

USERNAME, PASSWORD = "engine", "s3cret-of-the-engine"


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


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    running: list[asyncio.Server] = []

    async def start_server(
        refusals: dict[str, str] | None = None, tls: ssl.SSLContext | None = None, **options: Any
    ) -> Server:
        kept = Server(tmp_path / "mail", refusals or {})

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
        booking_url="https://wod.example.com/booking",
    )
    brand = branding(Settings(mail_sender="workshops@wod.example.com"))
    return compose(MailKind.WELCOME, "ana@example.com", context, brand)


@asynccontextmanager
async def mailer_for(settings: Settings) -> AsyncIterator[Mailer]:
    mailer = Mailer(settings)
    yield mailer
    await mailer.close()


async def test_a_mail_arrives_as_it_was_composed(start: Start) -> None:
    server = await start()
    sent = a_mail()
    await send(sent, settings_for(server))
    [got] = messages(server.folder)
    assert got["Subject"] == sent["Subject"] == "You're booked: L'été des données \u2013 “grand”"
    assert got["Message-ID"] == sent["Message-ID"]
    assert (got["X-MailFrom"], got["X-RcptTo"]) == ("workshops@wod.example.com", "ana@example.com")
    for subtype in ("plain", "html"):
        mine, theirs = sent.get_body((subtype,)), got.get_body((subtype,))
        assert mine is not None
        assert theirs is not None
        assert theirs.get_content().replace("\r\n", "\n") == mine.get_content().replace("\r\n", "\n")


async def test_one_after_the_other_mails_share_a_connection(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        for number in range(5):
            await mailer.send(a_mail(str(number)))
    assert len(messages(server.folder)) == 5
    assert server.connections == 1


async def test_mails_at_once_all_arrive_once(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        await asyncio.gather(*(mailer.send(a_mail(str(number))) for number in range(30)))
        await asyncio.gather(*(mailer.send(a_mail(str(number))) for number in range(30, 40)))
    assert len({each["Message-ID"] for each in messages(server.folder)}) == len(messages(server.folder)) == 40


async def test_a_connection_that_idled_too_long_is_not_used_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()
    monkeypatch.setattr(smtp, "KEPT_SECONDS", -1)
    async with mailer_for(settings_for(server)) as mailer:
        await mailer.send(a_mail("1"))
        await mailer.send(a_mail("2"))
    assert server.connections == 2


@pytest.mark.integration
async def test_a_server_that_restarts_loses_no_mail(tmp_path: Path) -> None:
    with socket.socket() as chooser:
        chooser.bind(("127.0.0.1", 0))
        port = chooser.getsockname()[1]
    settings = Settings(smtp_port=port, step_timeout_seconds=10)
    async with mailer_for(settings) as mailer:
        for life in range(2):
            async with server_process(port, tmp_path / "mail"):
                await mailer.send(a_mail(f"first of {life}"))
                await mailer.send(a_mail(f"second of {life}"))
        with pytest.raises(StepFailed) as failure:
            await mailer.send(a_mail("nobody listens"))
    assert failure.value.reason == "mail_unreachable"
    assert len(messages(tmp_path / "mail")) == 4


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


async def test_a_server_that_takes_leave_with_421_is_asked_again(start: Start) -> None:
    server = await start()
    async with mailer_for(settings_for(server)) as mailer:
        await mailer.send(a_mail("1"))
        server.refusals["MAIL"] = "421 going down"
        await mailer.send(a_mail("2"))
    assert len(messages(server.folder)) == 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("stage", "answer", "kind", "reason"),
    [
        ("RCPT", "550 5.1.1 no such user", Refused, "mail_refused"),
        ("RCPT", "553 relaying denied", Refused, "mail_refused"),
        ("RCPT", "450 4.2.0 greylisted", StepFailed, "mail_postponed"),
        ("RCPT", "452 4.2.2 mailbox full", StepFailed, "mail_postponed"),
        ("DATA", "554 5.6.0 content refused", Refused, "mail_refused"),
        ("DATA", "451 4.3.0 disk full", StepFailed, "mail_postponed"),
        ("MAIL", "553 5.7.1 not your address", StepFailed, "mail_sender_refused"),
        ("MAIL", "421 4.3.2 shutting down", StepFailed, "mail_postponed"),
    ],
)
async def test_refusals_for_good_and_for_now(
    start: Start, stage: str, answer: str, kind: type[Exception], reason: str
) -> None:
    server = await start({stage: answer})
    async with mailer_for(settings_for(server)) as mailer:
        with pytest.raises(kind) as failure:
            await mailer.send(a_mail())
        assert failure.value.reason == reason  # type: ignore[attr-defined]
        assert answer[4:] in failure.value.detail  # type: ignore[attr-defined]
        await mailer.send(a_mail())
    assert len(messages(server.folder)) == 1


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    settings = Settings(smtp_port=server.sockets[0].getsockname()[1], step_timeout_seconds=0.3)
    async with server, asyncio.timeout(5):
        with pytest.raises(StepFailed) as failure:
            await send(a_mail(), settings)
    assert failure.value.reason == "mail_unreachable"


async def test_a_cancelled_mail_leaves_no_connection_behind(start: Start) -> None:
    server = await start()
    reached = asyncio.Event()

    async def wait_for_ever(*_: Any) -> str:
        reached.set()
        await asyncio.Event().wait()
        return ""

    server.handle_DATA = wait_for_ever  # type: ignore[method-assign]
    async with mailer_for(settings_for(server)) as mailer:
        sending = asyncio.create_task(mailer.send(a_mail("1")))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.handle_DATA = type(server).handle_DATA.__get__(server)  # type: ignore[method-assign]
        await mailer.send(a_mail("2"))
    assert [each["Message-ID"] for each in messages(server.folder)] == [a_mail("2")["Message-ID"]]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate and its key, in one file, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def start_encrypted(start: Start, encryption: str, certificate: Path) -> Server:
    tls = server_tls(certificate)
    return await (start(tls=tls) if encryption == "tls" else start(tls_context=tls))


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
async def test_a_certificate_that_is_known_is_accepted(
    start: Start, encryption: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_encrypted(start, encryption, certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mailer_for(settings_for(server, smtp_encryption=encryption)) as mailer:
        await mailer.send(a_mail("1"))
        await mailer.send(a_mail("2"))
    assert len(messages(server.folder)) == 2


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["unknown", "other host"])
async def test_a_certificate_that_is_unknown_or_of_another_host_is_not(
    start: Start, encryption: str, wrong: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_encrypted(start, encryption, certificate)
    if wrong == "other host":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    host = "127.0.0.1" if wrong == "unknown" else "localhost"
    with pytest.raises(StepFailed) as failure:
        await send(a_mail(), settings_for(server, smtp_encryption=encryption, smtp_host=host))
    assert failure.value.reason == "mail_unreachable"
    assert "certificate" in failure.value.detail
    assert messages(server.folder) == []


async def test_encryption_that_the_server_lacks_is_not_done_without(start: Start) -> None:
    server = await start()
    with pytest.raises(StepFailed) as failure:
        await send(a_mail(), settings_for(server, smtp_encryption="starttls"))
    assert failure.value.reason == "mail_unreachable"
    assert messages(server.folder) == []


def check_password(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    is_right = data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("password", "is_right"), [(PASSWORD, True), ("wrong-password", False)])
async def test_the_log_in(start: Start, password: str, is_right: bool) -> None:
    server = await start(authenticator=check_password, auth_required=True, auth_require_tls=False)
    settings = settings_for(server, smtp_username=USERNAME, smtp_password=password)
    if is_right:
        await send(a_mail(), settings)
        assert len(messages(server.folder)) == 1
        return
    with pytest.raises(StepFailed) as failure:
        await send(a_mail(), settings)
    assert failure.value.reason == "mail_login_failed"
    assert password not in f"{failure.value.detail} {failure.value.message} {failure.value.__cause__!r}"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"smtp_password": PASSWORD, "smtp_host": "mail.example.com"}, "mail_login_in_clear"),
        ({"smtp_encryption": "tls"}, "secret_missing"),
    ],
)
def test_a_log_in_that_can_not_be_safe_is_refused_at_once(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        Mailer(Settings(smtp_username=USERNAME, **given))
    assert refusal.value.reason == reason

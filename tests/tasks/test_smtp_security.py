from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from smtp_server import Server, Start, a_mail, mail_servers, mailer_for, messages, settings_for

from models.errors import Refused, StepFailed
from models.settings import Settings
from tasks.adapters.smtp import Mailer, send

USERNAME, PASSWORD = "engine", "s3cret-of-the-engine"


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with mail_servers(tmp_path) as start_server:
        yield start_server


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

"""Certificates that real TLS accepts, for exactly the names that they are for."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tasks.adapters.certificates import (
    AUTHORITY_DAYS,
    CertifiedKey,
    checked_key,
    days_left,
    find_certificate_problems,
    is_good,
    is_pair,
    issue,
    new_authority,
    renewed_authority,
    split_certificates,
)

NOW = datetime.now(UTC)
NAMES = ("be1.local", "10.0.0.7", "fd00::7", "wod.example.org")


@pytest.fixture(scope="module")
def authority() -> CertifiedKey:
    return new_authority("the stack", NOW)


@pytest.fixture(scope="module")
def server(authority: CertifiedKey) -> CertifiedKey:
    return issue(authority, NAMES, NOW)


def handshake(folder, server: CertifiedKey, trusted: CertifiedKey, name: str) -> str:
    """Return the TLS version that a client speaks with the server under a name, or raise why it doesn't."""
    (folder / "server.pem").write_text(server.key + server.chain)
    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    here.load_cert_chain(folder / "server.pem")
    there = ssl.create_default_context(cadata=trusted.chain)
    there.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    at_server, at_client = socket.socketpair()

    def serve() -> None:
        try:
            with here.wrap_socket(at_server, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            at_server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with there.wrap_socket(at_client, server_hostname=name) as connection:
            connection.sendall(b".")
            return connection.version() or ""
    finally:
        at_client.close()
        thread.join()


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_trusts_the_server(tmp_path, server, authority, name):
    assert handshake(tmp_path, server, authority, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["be2.local", "10.0.0.8", "www.wod.example.org"])
def test_no_client_trusts_it_under_another_name(tmp_path, server, authority, name):
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        handshake(tmp_path, server, authority, name)


def test_no_client_of_another_authority_trusts_it(tmp_path, server):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"signature|issuer"):
        handshake(tmp_path, server, new_authority("the stack", NOW), "be1.local")


def test_a_server_is_no_authority(tmp_path, server, authority):
    below = issue(server, NAMES, NOW)
    both = CertifiedKey(below.key, below.chain + server.chain)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, both, authority, "be1.local")


def test_a_renewed_authority_stands_by_what_it_signed(tmp_path, server, authority):
    renewed = renewed_authority(authority.key, "the stack", NOW + timedelta(hours=1))
    assert renewed.chain != authority.chain
    assert handshake(tmp_path, server, renewed, "be1.local") == "TLSv1.3"
    assert is_good(server, renewed, NAMES, NOW)


def test_they_are_good_for_as_long_as_promised(server, authority):
    assert days_left(authority, NOW) == pytest.approx(AUTHORITY_DAYS, abs=0.1)
    assert days_left(server, NOW) == pytest.approx(397, abs=0.1)
    certificate = x509.load_pem_x509_certificate(server.chain.encode())
    assert certificate.not_valid_before_utc < NOW - timedelta(minutes=30)  # clocks differ


@pytest.mark.parametrize(
    ("names", "days", "expected"),
    [
        (NAMES, 0, True),
        (tuple(reversed(NAMES)), 0, True),
        (NAMES, 366, True),
        (NAMES, 368, False),
        (NAMES, 500, False),
        (NAMES[1:], 0, False),
        ((*NAMES, "more.example.org"), 0, False),
    ],
)
def test_a_certificate_is_good_until_it_is_old_or_its_names_change(server, authority, names, days, expected):
    assert is_good(server, authority, names, NOW + timedelta(days=days)) is expected


def test_a_certificate_is_good_only_with_its_own_key_and_authority(server, authority):
    other = issue(authority, NAMES, NOW)
    assert not is_good(CertifiedKey(other.key, server.chain), authority, NAMES, NOW)
    assert not is_good(server, new_authority("the stack", NOW), NAMES, NOW)
    assert not is_good(CertifiedKey(server.key, "no certificate"), authority, NAMES, NOW)
    assert not is_good(CertifiedKey("no key", server.chain), authority, NAMES, NOW)
    assert is_pair(server)
    assert not is_pair(CertifiedKey(other.key, server.chain))


def test_a_key_is_checked_and_never_shown(server):
    assert checked_key(server.key) == server.key
    with pytest.raises(ValueError):
        checked_key(server.key.replace("A", "B"))
    assert server.key not in repr(server)
    assert "PRIVATE" not in f"{server}"


def foreign(names, *, signer: CertifiedKey, days: float = 10, begins: datetime = NOW) -> CertifiedKey:
    """Return a certificate as other authorities make them: of an RSA key, from one that is itself signed."""
    signer_key = load_pem_private_key(signer.key.encode(), None)
    issuer = x509.load_pem_x509_certificate(signer.chain.encode()).subject
    key = rsa.generate_private_key(65537, 2048)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return CertifiedKey(pem, certificate.public_bytes(Encoding.PEM).decode())


@pytest.fixture(scope="module")
def intermediate(authority: CertifiedKey) -> CertifiedKey:
    return foreign(["intermediate"], signer=authority)


HOST = "be1.example.org"


@pytest.mark.parametrize("certified", [[HOST], ["*.example.org"], ["other.org", "BE1.Example.Org"]])
def test_a_certificate_from_elsewhere_is_good(authority, intermediate, certified):
    key, chain = foreign(certified, signer=intermediate)
    whole = CertifiedKey(key, chain + intermediate.chain)
    assert list(find_certificate_problems(whole, [HOST], authority.chain, NOW)) == []
    with_root = CertifiedKey(key, chain + intermediate.chain + authority.chain)
    assert list(find_certificate_problems(with_root, [HOST], authority.chain, NOW)) == []
    assert list(find_certificate_problems(whole, [HOST], "", NOW)) == []


def test_everything_that_is_wrong_with_a_certificate_is_told_at_once(authority, intermediate):
    wrong = foreign(["*.org"], signer=intermediate, days=1)
    stray = CertifiedKey(authority.key, wrong.chain)
    found = list(find_certificate_problems(stray, [HOST, "10.0.0.7"], authority.chain, NOW + timedelta(days=2)))
    assert found == [
        "Its key belongs to another certificate.",
        f"It is not for {HOST}, but for *.org.",
        "It is not for 10.0.0.7, but for *.org.",
        f"It ended on {NOW + timedelta(days=1):%Y-%m-%d}.",
        "Nobody whom machines trust vouches for it: the certificate of intermediate is missing.",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda key, chain, above: ("", chain + above), "no private key in PEM"),
        (lambda key, chain, above: (key, ""), "no certificate in PEM"),
        (lambda key, chain, above: (key, "-----BEGIN CERTIFICATE-----\nx"), "no certificate in PEM"),
        (lambda key, chain, above: (key, above + chain), "not for be1.example.org"),
        (lambda key, chain, above: (key, chain + chain), f"After the certificate of {HOST} must come"),
        (lambda key, chain, above: (locked(key), chain + above), "asks for a password"),
    ],
)
def test_a_broken_certificate_is_described(authority, intermediate, change, problem):
    server = foreign([HOST], signer=intermediate)
    broken = CertifiedKey(*change(*server, intermediate.chain))
    assert problem in " ".join(find_certificate_problems(broken, [HOST], authority.chain, NOW))


def test_a_certificate_that_begins_later_is_described(authority):
    early = foreign([HOST], signer=authority, begins=NOW + timedelta(days=3))
    [problem] = find_certificate_problems(early, [HOST], authority.chain, NOW)
    assert problem == f"It begins on {NOW + timedelta(days=3):%Y-%m-%d} only."


def locked(key: str) -> str:
    loaded = load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()


def test_certificates_are_taken_apart(server, authority):
    assert split_certificates(f"about\n{server.chain}\n{authority.chain}") == (server.chain, authority.chain)
    with pytest.raises(ValueError):
        split_certificates("nothing")

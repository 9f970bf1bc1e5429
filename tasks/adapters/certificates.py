"""The certificates of a stack: an authority of its own, and one certificate a machine. PEM throughout."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
# The longest that browsers accept is 398: CA/Browser Forum, Baseline Requirements 2.2.6, section 6.3.2.
SERVER_DAYS = 397
RENEW_DAYS = 30
_CLOCKS_DIFFER = timedelta(hours=1)
_LONGEST_COMMON_NAME = 64  # characters: ub-common-name of RFC 5280, appendix A.1


class CertifiedKey(NamedTuple):
    """A private key, which is never shown, and the certificates that belong to it, its own first."""

    key: str
    chain: str

    def __repr__(self) -> str:
        return f"CertifiedKey({self.chain!r})"


def new_authority(name: str, now: datetime) -> CertifiedKey:
    """Return a new certificate authority (EC P-256), good for 10 years, that can make no further authorities."""
    return renewed_authority(_pem_of(ec.generate_private_key(ec.SECP256R1())), name, now)


def renewed_authority(key: str, name: str, now: datetime) -> CertifiedKey:
    """Return the authority of this key with a certificate from now on; what it signed before stays good."""
    private, subject = _private_key(key), _common_name(name)
    certificate = (
        _builder(subject, subject, private.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    return CertifiedKey(key, _pem(certificate))


def issue(authority: CertifiedKey, names: Collection[str], now: datetime) -> CertifiedKey:
    """Return a new key and certificate for a server known by `names`, host names or IP addresses, for 397 days."""
    private, issuer = ec.generate_private_key(ec.SECP256R1()), _certificate(authority.chain)
    public = private.public_key()
    authority_key = _private_key(authority.key)
    certificate = (
        _builder(_common_name(next(iter(names))), issuer.subject, public, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return CertifiedKey(_pem_of(private), _pem(certificate))


def is_good(server: CertifiedKey, authority: CertifiedKey, names: Collection[str], now: datetime) -> bool:
    """Whether a server's certificate is of this authority and its key, for these names, and not to be renewed."""
    try:
        certificate, private = _certificate(server.chain), _private_key(server.key)
        certificate.verify_directly_issued_by(_certificate(authority.chain))
        certified = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        private.public_key() == certificate.public_key()
        and set(certified) == {_general_name(name) for name in names}
        and days_left(server, now) >= RENEW_DAYS
    )


def days_left(certified: CertifiedKey, now: datetime) -> float:
    """Return how many days a certificate is good for yet; ValueError when it is none."""
    return (_certificate(certified.chain).not_valid_after_utc - now) / timedelta(days=1)


def checked_key(pem: str) -> str:
    """Return the private key unchanged; ValueError when it is none of the kind that is made here."""
    _private_key(pem)
    return pem


def is_pair(certified: CertifiedKey) -> bool:
    """Whether key and certificate can be read and belong to each other."""
    try:
        return _private_key(certified.key).public_key() == _certificate(certified.chain).public_key()
    except (ValueError, TypeError):
        return False


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now - _CLOCKS_DIFFER + timedelta(days=days))
    )


def _key_usage(**wanted: bool) -> x509.KeyUsage:
    usages = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: wanted.get(usage, False) for usage in usages})


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_COMMON_NAME])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of an elliptic curve")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

"""The certificates of a stack: an authority of its own, and one certificate a machine. PEM throughout."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
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


def days_in_all(certified: CertifiedKey) -> float:
    """Return for how many days a certificate is good from its first to its last; ValueError when it is none."""
    certificate = _certificate(certified.chain)
    return (certificate.not_valid_after_utc - certificate.not_valid_before_utc) / timedelta(days=1)


def checked_key(pem: str) -> str:
    """Return the private key unchanged; ValueError when it is none of the kind that is made here."""
    _private_key(pem)
    return pem


def split_certificates(pem: str) -> tuple[str, ...]:
    """Return the certificates of a text one by one; ValueError when it holds none, or a broken one."""
    return tuple(_pem(each) for each in x509.load_pem_x509_certificates(pem.encode()))


def is_pair(certified: CertifiedKey) -> bool:
    """Whether key and certificate can be read and belong to each other."""
    try:
        return _private_key(certified.key).public_key() == _certificate(certified.chain).public_key()
    except (ValueError, TypeError):
        return False


def find_certificate_problems(
    server: CertifiedKey, names: Collection[str], authorities: str, now: datetime
) -> Iterator[str]:
    """Yield what keeps a server known by `names` from showing this certificate, each in a sentence.

    `authorities` are the certificates that clients trust; without any, only the chain itself is looked at.
    """
    try:
        chain = x509.load_pem_x509_certificates(server.chain.encode())
    except ValueError:
        yield "It holds no certificate in PEM."
        return
    yield from _key_problems(server.key, chain[0])
    certified = _names_of(chain[0])
    for name in names:
        if not any(_covers(each, name) for each in certified):
            known = ", ".join(certified) or "nothing"
            yield f"It is not for {name}, but for {known}."
    if chain[0].not_valid_after_utc <= now:
        yield f"It ended on {chain[0].not_valid_after_utc:%Y-%m-%d}."
    if chain[0].not_valid_before_utc > now:
        yield f"It begins on {chain[0].not_valid_before_utc:%Y-%m-%d} only."
    yield from _chain_problems(chain, authorities, now)


def _key_problems(pem: str, certificate: x509.Certificate) -> Iterator[str]:
    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        yield "Its key asks for a password, which no service could give."
    except (ValueError, UnsupportedAlgorithm):
        yield "Its key is no private key in PEM."
    else:
        if private.public_key() != certificate.public_key():
            yield "Its key belongs to another certificate."


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def _covers(certified: str, name: str) -> bool:
    """Whether a certified name covers another; a wildcard stands for one label (RFC 6125, section 6.4.3)."""
    certified, name = certified.lower(), name.lower()
    return certified == name or (
        certified.startswith("*.") and not _is_address(name) and certified[2:] == name.partition(".")[2]
    )


def _chain_problems(chain: Sequence[x509.Certificate], authorities: str, now: datetime) -> Iterator[str]:
    for below, above in pairwise(chain):
        if not _is_issued_by(below, above):
            yield (
                f"After the certificate of {_shown(below.subject)} must come that of {_shown(below.issuer)},"
                f" not of {_shown(above.subject)}."
            )
            return
    for each in chain[1:]:
        if each.not_valid_after_utc <= now:
            yield f"The certificate of {_shown(each.subject)} in it ended on {each.not_valid_after_utc:%Y-%m-%d}."
    trusted, last = _readable(authorities), chain[-1]
    if trusted and not any(each == last or _is_issued_by(last, each) for each in trusted):
        yield f"Nobody whom machines trust vouches for it: the certificate of {_shown(last.issuer)} is missing."


def _readable(authorities: str) -> list[x509.Certificate]:
    """Return what can be read of a bundle: old authorities don't keep to all rules of today."""
    found = []
    with warnings.catch_warnings(action="ignore"):
        for pem in authorities.split("-----END CERTIFICATE-----")[:-1]:
            with suppress(ValueError):
                found.append(_certificate(f"{pem}-----END CERTIFICATE-----\n"))
    return found


def _is_issued_by(below: x509.Certificate, above: x509.Certificate) -> bool:
    with suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        below.verify_directly_issued_by(above)
        return True
    return False


def _shown(name: x509.Name) -> str:
    known = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(known[0].value) if known else name.rfc4514_string()


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
    return x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


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

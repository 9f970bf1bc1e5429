"""The operator's own certificates: a folder of MACHINE.crt and MACHINE.key, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from models.errors import Refused
from models.stack_manifest import StackManifest
from tasks.adapters.certificates import CertifiedKey, find_certificate_problems, split_certificates
from tasks.stack_secrets import served_names

# Beside the certificates: that of an authority which machines don't trust by themselves.
AUTHORITY_FILE = "authority.crt"
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")  # by Debian and Ubuntu


@dataclass(frozen=True)
class OwnCertificates:
    """What the operator gives: certificates by machine, and those of the authorities behind them, if any."""

    of_machines: Mapping[str, CertifiedKey] = field(default_factory=dict)
    authorities: tuple[str, ...] = ()


def read_certificate_files(stack: StackManifest, now: datetime) -> OwnCertificates:
    """Return the certificates of all machines that are reached by https; none with certificates from elsewhere.

    Of an authority that gives them by ACME, its own are returned, if machines have to be told.

    Raises Refused (certificates_wrong) with all that is wrong with any of them.
    """
    wrong: list[str] = []
    if stack.certificates.source == "acme" and stack.certificates.authority:
        file = Path(stack.certificates.authority)
        authorities = _authorities(file, wrong)
        _refuse(wrong, file)
        return OwnCertificates(authorities=authorities)
    if stack.certificates.source != "files":
        return OwnCertificates()
    folder = Path(stack.certificates.folder)
    own_authority = folder / AUTHORITY_FILE
    authorities = _authorities(own_authority, wrong) if own_authority.exists() else ()
    trusted = [*authorities, *([_TRUSTED.read_text()] if _TRUSTED.is_file() else [])]
    found: dict[str, CertifiedKey] = {}
    for machine in stack.machine_names:
        if names := served_names(stack, machine):
            file = folder / f"{machine}.crt"
            found[machine] = CertifiedKey(_read(folder / f"{machine}.key", wrong), _read(file, wrong))
            if all(found[machine]):
                problems = find_certificate_problems(found[machine], names, "".join(trusted), now)
                wrong += [f"{file}: {problem}" for problem in problems]
    _refuse(wrong, folder)
    return OwnCertificates(found, authorities)


def _refuse(wrong: list[str], place: Path) -> None:
    if wrong:
        raise Refused(
            "\n".join([*wrong, f"Put right what is in {place}; nothing was changed on any machine."]),
            reason="certificates_wrong",
        )


def _authorities(file: Path, wrong: list[str]) -> tuple[str, ...]:
    if not (text := _read(file, wrong)):
        return ()
    try:
        return split_certificates(text)
    except ValueError:
        wrong.append(f"{file}: It holds no certificate in PEM.")
        return ()


def _read(path: Path, wrong: list[str]) -> str:
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        wrong.append(f"{path}: It can't be read: {error.strerror}.")
        return ""
    if not text.strip():
        wrong.append(f"{path}: It is empty.")
    return text.strip() and text

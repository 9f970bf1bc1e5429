"""What a role is made from: the stack, its secrets, and this release."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.resources import File, Folder
from models.stack_manifest import StackManifest
from tasks.adapters.certificates import CertifiedKey
from tasks.roles.source import Release
from tasks.stack_secrets import StackSecrets

CONFIGURATION = "/etc/wod"
SECRETS = "/etc/wod/secrets"
PROGRAMS = "/opt/wod"
OWN_PROGRAMS = "/usr/local/lib/wod"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class RoleContext:
    """Everything that the roles of a stack depend on.

    By the names of machines: the `certificates` that people are shown, their IP `addresses`, and their `releases`:
    a distribution and its version, such as debian 12. `authorities` are those, in PEM, that the machines are to
    trust, the stack's own first. `known_hosts` are the pinned host keys, as in ssh's file of that name.
    `workshops` are tars of the folders that the stack names, by their paths on the control machine.
    """

    stack: StackManifest
    secrets: StackSecrets
    release: Release
    certificates: Mapping[str, CertifiedKey]
    authorities: tuple[str, ...]
    addresses: Mapping[str, tuple[str, ...]]
    releases: Mapping[str, tuple[str, str]]
    known_hosts: str
    workshops: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def proxies_of_operator(self) -> tuple[str, ...]:
        """The addresses of proxies that the stack's settings name, in front of its machines."""
        return tuple(self.stack.settings.get("trusted_proxies", ()))

    @property
    def frontend_addresses(self) -> tuple[str, ...]:
        """From where the catalog asks the API: its machine's addresses, or the API's own when they are one."""
        known = self.addresses_of([self.stack.frontend.machine])
        return (*known["ip"], *known["ip6"], "127.0.0.1", "::1")

    def addresses_of(self, machines: Sequence[str]) -> dict[str, list[str]]:
        """Return the addresses of machines by family, as the firewall names them: ip and ip6."""
        found: dict[str, list[str]] = {"ip": [], "ip6": []}
        for machine in machines:
            for address in self.addresses[machine]:
                parsed = ipaddress.ip_address(address)
                if not parsed.is_loopback and not parsed.is_link_local:
                    found["ip6" if parsed.version == 6 else "ip"].append(address)
        return {family: sorted(set(addresses)) for family, addresses in found.items()}


def certificate_files(certificate: CertifiedKey, folder: str, owner: str, *, why: str) -> list[Folder | File]:
    """Return a certificate and its key as a service of the account `owner` reads them."""
    return [
        Folder(folder, group=owner, mode=0o750, why=why),
        File(f"{folder}/certificate.pem", certificate.chain.encode(), group=owner, mode=0o640, why=why),
        File(f"{folder}/key.pem", certificate.key.encode(), group=owner, mode=0o640, is_secret=True, why=why),
    ]

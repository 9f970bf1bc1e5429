"""The keys of ssh: that of a machine, as it shows it to anybody, and pairs of our own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass

import asyncssh

from models.errors import StepFailed

_CONTACT_SECONDS = 15
# What machines of the last ten years offer, the best first.
_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


@dataclass(frozen=True)
class HostKey:
    """The public key of a machine, as a known_hosts file has it: its kind, and the key in base64."""

    kind: str
    base64_text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.base64_text}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint as OpenSSH shows it: SHA256 and a colon, then the digest in base64."""
        digest = hashlib.sha256(base64.b64decode(self.base64_text)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


async def read_host_key(machine: str, host: str, port: int, kind: str = "") -> HostKey:
    """Return the key that a machine shows: that of `kind` if it has one, otherwise its best.

    Raises StepFailed (`machine_unreachable`); `machine` is what people call it.
    """
    first = [each for each in _ALGORITHMS if each == kind or (kind, each[:9]) == ("ssh-rsa", "rsa-sha2-")]
    algorithms = [*first, *(each for each in _ALGORITHMS if each not in first)]
    try:
        async with asyncio.timeout(_CONTACT_SECONDS):
            shown = await asyncssh.get_server_host_key(host, port, server_host_key_algs=algorithms, config=None)
            if shown is None:
                raise ValueError("it shows no host key")
    except (asyncssh.Error, OSError, ValueError) as error:
        raise StepFailed(
            f"{machine} ({host}:{port}) doesn't answer over ssh. Look whether it runs, and whether this machine"
            " can reach it at that address.",
            reason="machine_unreachable",
            detail=str(error) or type(error).__name__,
        ) from None
    name, text = shown.export_public_key().decode().split()[:2]
    return HostKey(name, text)


def new_key_pair(comment: str) -> str:
    """Return a new private key (Ed25519) as text of OpenSSH, not encrypted."""
    return asyncssh.generate_private_key("ssh-ed25519", comment=comment).export_private_key("openssh").decode()


def public_key(private_key: str) -> str:
    """Return the line that authorized_keys has for a private key, without a line end.

    Raises ValueError when the text is no private key.
    """
    try:
        return asyncssh.import_private_key(private_key).export_public_key("openssh").decode().strip()
    except asyncssh.KeyImportError:
        raise ValueError("not a private key of ssh") from None

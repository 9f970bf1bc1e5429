"""The secrets of a stack: made once on the control machine, and kept there in one file, which only grows."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from models.errors import Refused
from models.rules.passwords import hub_token
from models.stack_manifest import StackManifest
from models.yaml_text import load_mapping
from tasks.adapters.certificates import (
    RENEW_DAYS,
    SERVER_DAYS,
    CertifiedKey,
    checked_key,
    days_left,
    is_good,
    is_pair,
    issue,
    new_authority,
    renewed_authority,
)
from tasks.adapters.ssh_keys import new_key_pair, public_key
from tasks.stack_files import changing, stack_folder, write_whole

# Random ones are of 32 bytes, in hexadecimal digits: JupyterHub wants its cookie secret so.
_BYTES = 32
_RANDOM = ("password_key", "link_key", "hub_master_token", "prefect_password")
_PER_BACKEND = ("proxy_tokens", "hub_cookie_secrets")
_SSH_KEYS = {"engine_ssh_private_key": "engine of", "appliance_ssh_private_key": "backends of"}
_KEYS = (*_SSH_KEYS, "ca_key", "ca_certificate")
_HEAD = """\
# The secrets of the stack {name}. Whoever has this file has the stack: keep a copy where nobody else can read it.
# Without it, `wod install` makes new ones and installs them everywhere.
"""


def _ssh_key(text: str) -> str:
    public_key(text)
    return text


def _of_its_key(certificate: str, info: ValidationInfo) -> str:
    if not is_pair(CertifiedKey(info.data.get("ca_key", ""), certificate)):
        raise ValueError("not the certificate of ca_key")
    return certificate


_Text = Annotated[str, Field(min_length=1)]


class _KeptPair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: _Text
    chain: _Text


class _Kept(BaseModel):
    """What the file may hold; each part may be missing, and what a later version added is kept."""

    password_key: str = ""
    link_key: str = ""
    hub_master_token: str = ""
    prefect_password: str = ""
    proxy_tokens: dict[str, _Text] = {}
    hub_cookie_secrets: dict[str, _Text] = {}
    engine_ssh_private_key: Annotated[str, AfterValidator(_ssh_key)] = ""
    appliance_ssh_private_key: Annotated[str, AfterValidator(_ssh_key)] = ""
    ca_key: Annotated[str, AfterValidator(checked_key)] = ""
    ca_certificate: Annotated[str, AfterValidator(_of_its_key)] = ""
    certificates: dict[str, _KeptPair] = {}


@dataclass(frozen=True, repr=False)
class StackSecrets:
    """All secrets of a stack. Mappings are by the names of backends and machines; keys and certificates are PEM.

    `certificates` are of the stack's own authority, and there too when people are shown others.
    """

    password_key: str
    link_key: str
    hub_master_token: str
    prefect_password: str
    proxy_tokens: Mapping[str, str]
    hub_cookie_secrets: Mapping[str, str]
    engine_ssh_private_key: str
    engine_ssh_public_key: str
    appliance_ssh_private_key: str
    appliance_ssh_public_key: str
    ca_key: str
    ca_certificate: str
    certificates: Mapping[str, CertifiedKey]

    def __repr__(self) -> str:
        return "StackSecrets(…)"

    def hub_token(self, backend: str) -> str:
        """Return the token that the engine shows to the hub of a backend."""
        return hub_token(self.hub_master_token, backend)


def secrets_file(state: Path, stack: str) -> Path:
    """Return the file of a stack's secrets; it need not be there yet."""
    return stack_folder(state, stack) / "secrets.yaml"


def certificate_names(manifest: StackManifest, machine: str) -> tuple[str, ...]:
    """Return what the stack's authority certifies of a machine: its name first, its address, external hosts.

    Hosts for which people are shown a certificate from elsewhere are left out: Caddy gets none by ACME for a
    name that it has one for.
    """
    hosts = served_names(manifest, machine) if manifest.certificates.source == "internal" else ()
    return tuple(dict.fromkeys([machine, manifest.address(machine), *hosts]))


def served_names(manifest: StackManifest, machine: str) -> tuple[str, ...]:
    """Return the hosts in the addresses of a machine's services: its name first, none without a service."""
    external = [each.external for each in manifest.backends if each.machine == machine]
    external += [each.external for each in (manifest.api, manifest.frontend) if each.machine == machine]
    hosts = [urlsplit(address).hostname or "" for address in external]
    return tuple(filter(None, dict.fromkeys([machine, *hosts]))) if external else ()


async def ensure_stack_secrets(state: Path, manifest: StackManifest, now: datetime) -> StackSecrets:
    """Return the secrets of a stack, after making those that are missing and certificates that are to be renewed.

    Those that are there stay, also those of backends that the stack no longer has.

    Raises Refused (`secrets_damaged`) when the file was damaged, naming every field but no value.
    """
    return await asyncio.to_thread(_ensure, secrets_file(state, manifest.name), manifest, now)


async def read_stack_secrets(state: Path, manifest: StackManifest, now: datetime) -> StackSecrets:
    """Return what `ensure_stack_secrets` would, but keep nothing: what is missing is made for this call alone."""
    path = secrets_file(state, manifest.name)
    return await asyncio.to_thread(lambda: _secrets(_completed(_read(path), manifest, now), manifest))


def _ensure(path: Path, manifest: StackManifest, now: datetime) -> StackSecrets:
    with changing(path.parent):
        kept = _read(path)
        completed = _completed(kept, manifest, now)
        if completed != kept:
            write_whole(path, _HEAD.format(name=manifest.name) + _as_yaml(completed))
        path.chmod(0o600)
    return _secrets(completed, manifest)


def _completed(kept: Mapping[str, Any], manifest: StackManifest, now: datetime) -> dict[str, Any]:
    values = deepcopy(dict(kept))
    for name in _RANDOM:
        values.setdefault(name, secrets.token_hex(_BYTES))
    for name in _PER_BACKEND:
        of_backends = values.setdefault(name, {})
        for backend in manifest.backends:
            of_backends.setdefault(backend.machine, secrets.token_hex(_BYTES))
    for name, whose in _SSH_KEYS.items():
        values.setdefault(name, new_key_pair(f"{whose} {manifest.name}"))
    authority = _authority(values, f"{manifest.name} (Workshops on Demand)", now)
    values |= {"ca_key": authority.key, "ca_certificate": authority.chain}
    certificates = values.setdefault("certificates", {})
    for machine in manifest.machine_names:
        names = certificate_names(manifest, machine)
        known = certificates.get(machine)
        if known is None or not is_good(CertifiedKey(**known), authority, names, now):
            issued = issue(authority, names, now)
            certificates[machine] = {"key": issued.key, "chain": issued.chain}
    return values


def _authority(values: Mapping[str, Any], name: str, now: datetime) -> CertifiedKey:
    """Return the authority, with a certificate that outlives all that it signs now."""
    if "ca_key" not in values:
        return new_authority(name, now)
    if "ca_certificate" in values:
        authority = CertifiedKey(values["ca_key"], values["ca_certificate"])
        if days_left(authority, now) >= SERVER_DAYS + RENEW_DAYS:
            return authority
    return renewed_authority(values["ca_key"], name, now)


def _secrets(values: Mapping[str, Any], manifest: StackManifest) -> StackSecrets:
    return StackSecrets(
        **{name: values[name] for name in (*_RANDOM, *_PER_BACKEND, *_KEYS)},
        engine_ssh_public_key=public_key(values["engine_ssh_private_key"]),
        appliance_ssh_public_key=public_key(values["appliance_ssh_private_key"]),
        certificates={
            machine: CertifiedKey(**values["certificates"][machine]) for machine in manifest.machine_names
        },
    )


def _read(path: Path) -> dict[str, Any]:
    """Return what the file holds, empty values left out, or refuse it with all that is wrong."""
    if not path.exists():
        return {}
    read, unreadable = load_mapping(path.read_text(errors="replace"), path.name)
    values = {name: value for name, value in read.items() if value not in (None, "")}
    # What the problems and errors say may quote a secret: only their places are told.
    wrong = [f"It can't be read at line {each.line}, column {each.column}." for each in unreadable]
    try:
        _Kept.model_validate(values)
    except ValidationError as error:
        fields = (".".join(map(str, each["loc"])) for each in error.errors(include_input=False, include_url=False))
        wrong += [f"{field} is not what the installer wrote there." for field in fields]
    if wrong:
        raise Refused(
            "\n".join([f"{path} is damaged.", *wrong, "Put a copy of the file from before in its place."]),
            reason="secrets_damaged",
        )
    return values


def _as_yaml(values: Mapping[str, Any]) -> str:
    yaml, text = YAML(), io.StringIO()
    yaml.width = 1_000_000
    yaml.dump(_literal(values), text)
    return text.getvalue()


def _literal(value: Any) -> Any:
    """Return a value with its texts of several lines to be written as such."""
    if isinstance(value, Mapping):
        return {name: _literal(each) for name, each in value.items()}
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value

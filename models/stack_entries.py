"""The sections of a stack.yaml; what each field means is its description, from which docs/stack.md is made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.stack_values import (
    AccountName,
    HostAndPort,
    HttpsAddress,
    MachineAddress,
    MachineName,
    MailAddress,
    Port,
    SomeMailAddress,
    WebAddress,
)

_EXTERNAL = "Address that people open, when it is another than that of machine and port."


class Section(BaseModel):
    """A section: never changed once read, and without names that it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SshEntry(Section):
    """How the machines are reached."""

    user: AccountName = Field("ubuntu", description="Account with sudo that asks for no password.")
    port: Port = Field(22, description="Port of sshd.")


class MachineEntry(Section):
    """What is different about one machine, by its name."""

    address: MachineAddress = Field("", description="IP address or name to reach it at; empty: its name.")
    ssh_port: Port | None = Field(None, description="Port of its sshd; none: that of `ssh`.")
    ssh_user: AccountName | None = Field(None, description="Account to log in to; none: that of `ssh`.")


class RoleEntry(Section):
    """What a machine is; a machine can be several things."""

    machine: MachineName = Field(description="Name of the machine.")


class BackendEntry(RoleEntry):
    """A machine that students work on: seats, and the JupyterHub for them."""

    number: int = Field(ge=1, le=9999, description="Number of the backend, from 1; it never changes.")
    port: Port = Field(8010, description="Port of JupyterHub, by https.")
    external: WebAddress = Field("", description=_EXTERNAL)
    seats: int = Field(100, ge=1, le=5000, description="How many students can work at once.")
    seat_memory_mb: int = Field(1024, ge=128, le=1_048_576, description="Memory of a seat, in MB.")
    seat_cpus: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Processors of a seat; 0.5 is half of one."
    )
    pdf_export: bool = Field(True, description="Install what saves notebooks as PDF: TeX, of some 400 MB.")


class ApiEntry(RoleEntry):
    """The machine of the API, the engine, the Prefect server and the database."""

    port: Port = Field(10000, description="Port of the API.")
    protocol: Literal["https", "http"] = Field("https", description="`https`, or `http` for a trial.")
    external: WebAddress = Field("", description=_EXTERNAL)
    prefect_port: Port = Field(10001, description="Port of Prefect's pages, by the same protocol.")


class FrontendEntry(RoleEntry):
    """The machine of the catalog, which holds no secret of the others."""

    port: Port = Field(8000, description="Port of the catalog.")
    protocol: Literal["https", "http"] = Field("https", description="`https`, or `http` for a trial.")
    external: WebAddress = Field("", description=_EXTERNAL)


class ApplianceEntry(RoleEntry):
    """A machine that runs containers for workshops."""

    containers: Literal["podman", "docker"] = Field("podman", description="`podman` or `docker`.")


class MailEntry(Section):
    """How mail goes out."""

    sender: MailAddress = Field(description="From address of all mails.")
    relay_port: Port = Field(9000, description="Port of the mail relay on each backend.")
    smart_host: HostAndPort = Field(
        "", description="Mail server, as host:port, that the relays hand mail to; empty: they deliver themselves."
    )


class CertificatesEntry(Section):
    """Where the certificates for https come from."""

    source: Literal["internal", "acme", "files"] = Field(
        "internal",
        description="`internal`: an authority of the stack's own; `acme`: Let's Encrypt, or another authority that"
        " speaks ACME; `files`: yours.",
    )
    email: SomeMailAddress = Field("", description="With `acme`: the address that the authority writes to.")
    directory: HttpsAddress = Field(
        "", description="With `acme`: the address of another authority's directory; empty: Let's Encrypt."
    )
    authority: str = Field(
        "", description="With `directory`: file of that authority's certificates, from this file's folder."
    )
    folder: str = Field(
        "", description="With `files`: folder of MACHINE.crt and MACHINE.key, from this file's folder."
    )


class BackupEntry(Section):
    """The nightly backup of the database."""

    keep_days: int = Field(14, ge=1, le=3650, description="How many days a backup is kept.")
    hour: int = Field(3, ge=0, le=23, description="Hour of the backup, in UTC.")

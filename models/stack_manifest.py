"""`stack.yaml`, the manifest of a stack: its machines, what each of them is, and how they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from models.errors import Problem, Refused, Severity
from models.rules.stack import Finding, Way, find_conflicts, label, listeners
from models.stack_check import right_values, validate
from models.stack_entries import (
    ApiEntry,
    ApplianceEntry,
    BackendEntry,
    BackupEntry,
    CertificatesEntry,
    FrontendEntry,
    MachineEntry,
    MailEntry,
    RoleEntry,
    Section,
    SshEntry,
)
from models.stack_settings import FurtherSettings
from models.stack_values import GroupName, MachineName, ManagementAccount
from models.yaml_text import NAME, Tree, load_tree

Service = Literal["hub", "api", "prefect", "catalog"]
Side = Literal["internal", "external"]


class SshLogin(NamedTuple):
    """How a machine is logged in to."""

    user: str
    host: str
    port: int


class StackManifest(Section):
    """A stack of machines."""

    name: GroupName = Field(description="Name of the stack: the group that its machines form.")
    management_user: ManagementAccount = Field(
        "wodmgr", description="Account that the installer makes on each machine for the platform."
    )
    ssh: SshEntry = Field(default_factory=SshEntry, description="How the machines are reached.")
    machines: Mapping[MachineName, MachineEntry] = Field(
        default_factory=dict, description="What is different about single machines, by their names."
    )
    backends: tuple[BackendEntry, ...] = Field(min_length=1, description="The machines that students work on.")
    api: ApiEntry = Field(description="The API, the engine, Prefect and the database.")
    frontend: FrontendEntry = Field(description="The catalog.")
    appliances: tuple[ApplianceEntry, ...] = Field((), description="Machines that run containers for workshops.")
    mail: MailEntry = Field(description="How mail goes out.")
    certificates: CertificatesEntry = Field(
        default_factory=CertificatesEntry, description="Where the certificates for https come from."
    )
    backup: BackupEntry = Field(default_factory=BackupEntry, description="The nightly backup of the database.")
    workshops: tuple[str, ...] = Field(
        (),
        description="Folders of workshops, from this file's folder, or git addresses; empty: the samples.",
    )
    settings: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Further settings of the platform, by the names in settings.md.",
        json_schema_extra={
            "properties": FurtherSettings.model_json_schema()["properties"],
            "additionalProperties": False,
        },
    )

    @property
    def machine_names(self) -> tuple[str, ...]:
        """All machines, each once: backends, API, frontend, appliances."""
        entries: tuple[RoleEntry, ...] = (*self.backends, self.api, self.frontend, *self.appliances)
        return tuple(dict.fromkeys(entry.machine for entry in entries))

    def roles_of(self, machine: str) -> tuple[str, ...]:
        """Return the roles of a machine in the order in which they are taken: what nobody waits for is last."""
        held = {
            "base": machine in self.machine_names,
            "backend": any(backend.machine == machine for backend in self.backends),
            "api-db": self.api.machine == machine,
            "frontend": self.frontend.machine == machine,
            "appliance": any(appliance.machine == machine for appliance in self.appliances),
            "documents": any(backend.machine == machine and backend.pdf_export for backend in self.backends),
        }
        return tuple(role for role, is_held in held.items() if is_held)

    def address(self, machine: str) -> str:
        """Return the address or name at which the others reach a machine."""
        return self._entry(machine).address or machine

    def ssh_login(self, machine: str) -> SshLogin:
        """Return how a machine is logged in to."""
        entry = self._entry(machine)
        return SshLogin(entry.ssh_user or self.ssh.user, self.address(machine), entry.ssh_port or self.ssh.port)

    def ports(self, machine: str) -> dict[int, str]:
        """Return the TCP ports on which a machine's roles and sshd listen, and what does."""
        values = dict(right_values(StackManifest, self.model_dump()))
        return {each.port: each.what for each in listeners(values) if each.machine == machine}

    def url(self, service: Service, machine: str | None = None, side: Side = "external") -> str:
        """Return the address of a service, without a final slash, for people or for the other machines.

        Only the hub needs its `machine` named. Raises ValueError when that is no backend.
        """
        if service == "prefect":
            return _url(self.api.protocol, self.api.machine, self.api.prefect_port)
        if service == "hub":
            backend = next((backend for backend in self.backends if backend.machine == machine), None)
            if backend is None:
                raise ValueError(f"{machine} is not a backend of the stack {self.name}")
            external, internal = backend.external, _url("https", backend.machine, backend.port)
        else:
            entry = self.api if service == "api" else self.frontend
            external, internal = entry.external, _url(entry.protocol, entry.machine, entry.port)
        return external if external and side == "external" else internal

    def _entry(self, machine: str) -> MachineEntry:
        return self.machines.get(machine, MachineEntry())


def parse_stack(text: str, path: str) -> tuple[StackManifest | None, list[Problem]]:
    """Return the stack that `text` describes, and every problem in it; no stack when one is an error.

    `path` is the name of the file in the problems.
    """
    tree, problems = load_tree(text, path)
    if tree is None:
        return None, problems
    settings, findings = validate(FurtherSettings, tree.values.get("settings", {}), ("settings",))
    further = settings.model_dump(mode="json", exclude_unset=True) if settings else {}
    given = {**tree.values, "settings": further}
    manifest, wrong = validate(StackManifest, given)
    right = dict(right_values(StackManifest, given))
    right |= {("settings", name): value for name, value in further.items()}
    findings += [*wrong, *find_conflicts(right)]
    problems += [_problem(finding, tree, path) for finding in findings]
    is_broken = any(problem.severity is Severity.ERROR for problem in problems)
    return None if is_broken else manifest, sorted(problems)


def load_stack(path: Path) -> tuple[StackManifest | None, list[Problem]]:
    """Return the stack of a file, its folders absolute, and every problem as `parse_stack` does."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        what = f"The file can't be read: {error.strerror or type(error).__name__}."
        return None, [Problem(str(path), 0, 0, what, "Name a readable file; `wod stack init` writes one.")]
    except UnicodeDecodeError:
        return None, [Problem(str(path), 0, 0, "The file is not text in UTF-8.", "Save it as UTF-8.")]
    manifest, problems = parse_stack(text, str(path))
    return manifest and _from_folder(manifest, path.absolute().parent), problems


def read_stack(path: Path) -> StackManifest:
    """Return the stack of a file, its folders absolute.

    Raises Refused (stack_wrong) with all problems, one a line.
    """
    manifest, problems = load_stack(path)
    if manifest is None:
        raise Refused("\n".join(map(str, problems)), reason="stack_wrong")
    return manifest


def _url(protocol: str, host: str, port: int) -> str:
    is_usual = port == {"https": 443, "http": 80}[protocol]
    return f"{protocol}://{host}" + ("" if is_usual else f":{port}")


def _from_folder(manifest: StackManifest, folder: Path) -> StackManifest:
    # A git address is no folder here, and stays as it is.
    workshops = tuple(str(folder / each) if (folder / each).exists() else each for each in manifest.workshops)
    certificates = manifest.certificates
    given = {"folder": certificates.folder, "authority": certificates.authority}
    absolute = {field: str(folder / path) for field, path in given.items() if path}
    certificates = certificates.model_copy(update=absolute)
    return manifest.model_copy(update={"workshops": workshops, "certificates": certificates})


def _problem(finding: Finding, tree: Tree, path: str) -> Problem:
    known: Way = finding.at
    while known not in tree.places:
        known = known[:-1]
    field = label(finding.at[:-1] if finding.at[-1:] == (NAME,) else finding.at)
    return Problem(path, *tree.places[known], finding.message, finding.remedy, finding.severity, field)

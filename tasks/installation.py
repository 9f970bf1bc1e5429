"""One installation of a stack: its machines at hand, surveyed, and what their roles are made from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from models.errors import Problem, Refused, Severity, StepFailed
from models.resources import Resource
from models.rules.machine_facts import Facts, problems
from models.settings import state_folder
from models.stack_manifest import StackManifest, read_stack
from models.tables import utc_now
from tasks.adapters.certificates import CertifiedKey
from tasks.adapters.ssh import SshMachine
from tasks.host_keys import SshPlace, known_hosts_file, pin_host_keys
from tasks.machines import Outcome, read_facts
from tasks.roles.context import RoleContext
from tasks.roles.source import read_release
from tasks.roles.table import ROLES, needs
from tasks.stack_secrets import StackSecrets, ensure_stack_secrets, read_stack_secrets

Hear = Callable[[str, str, Outcome], None]


@dataclass(frozen=True)
class Installation:
    """A stack that is being installed, planned or checked."""

    context: RoleContext
    machines: Mapping[str, SshMachine]
    warnings: tuple[Problem, ...]

    @property
    def stack(self) -> StackManifest:
        """The stack's manifest."""
        return self.context.stack

    def resources(self, machine: str, role: str) -> list[Resource]:
        """Return what a role makes so on a machine."""
        return list(ROLES[role](self.context, machine))


_current: ContextVar[Installation] = ContextVar("installation")
_hear: ContextVar[Hear] = ContextVar("hear", default=lambda machine, role, outcome: None)


def current_installation() -> Installation:
    """Return the installation that the running flow has opened."""
    return _current.get()


def hear_progress(hear: Hear) -> None:
    """Have `hear(machine, role, outcome)` called for each step of the installations from here on."""
    _hear.set(hear)


def tell(machine: str, role: str, outcome: Outcome) -> None:
    """Tell whoever listens how a step came out."""
    _hear.get()(machine, role, outcome)


@asynccontextmanager
async def installation(
    stack_file: Path, ssh_key: Path, *, only_looks: bool = False
) -> AsyncIterator[Installation]:
    """Open an installation: all machines are reached and found fit, before anything is changed on any of them.

    With `only_looks` no secret is made either.

    Raises Refused: stack_wrong, ssh_key_unreadable, host_key_changed, secrets_damaged, or machines_unfit with
    everything that is wrong with any machine.
    """
    stack, state = read_stack(stack_file), state_folder()
    if not await asyncio.to_thread(ssh_key.is_file):
        raise Refused(f"There is no ssh key {ssh_key}. Name the private key file.", reason="ssh_key_unreadable")
    logins = {name: stack.ssh_login(name) for name in stack.machine_names}
    places = [SshPlace(name, login.host, login.port) for name, login in logins.items()]
    silent = await pin_host_keys(state, stack.name, places)
    known_hosts = known_hosts_file(state, stack.name)
    machines = {
        name: SshMachine(
            name,
            f"{login.user}@{login.host}:{login.port}",
            known_hosts=known_hosts,
            client_key=ssh_key,
            python=("sudo", "-n", "python3"),
        )
        for name, login in logins.items()
    }
    try:
        facts, warnings = await _survey(stack, machines, silent)
        make = read_stack_secrets if only_looks else ensure_stack_secrets
        secrets = await make(state, stack, utc_now())
        context = await asyncio.to_thread(_context, stack, secrets, facts, known_hosts)
        opened = Installation(context, machines, warnings)
        token = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(token)
    finally:
        await asyncio.gather(*(machine.close() for machine in machines.values()))


async def _survey(
    stack: StackManifest, machines: Mapping[str, SshMachine], silent: Mapping[str, StepFailed]
) -> tuple[dict[str, Facts], tuple[Problem, ...]]:
    """Return what all machines are, or refuse with everything that is wrong with any of them."""
    asked = [name for name in machines if name not in silent]
    answers = await asyncio.gather(*(_facts(machines[name]) for name in asked))
    facts: dict[str, Facts] = {}
    found: list[Problem] = []
    for name, answer in [*silent.items(), *zip(asked, answers, strict=True)]:
        if isinstance(answer, Facts):
            facts[name] = answer
            found += problems(name, answer, needs(stack, name))
        else:
            found.append(Problem(name, 0, 0, answer.message, answer.detail))
    if any(problem.severity is Severity.ERROR for problem in found):
        raise Refused(
            "\n".join([*map(str, sorted(found)), "Nothing was changed on any machine."]), reason="machines_unfit"
        )
    return facts, tuple(found)


async def _facts(machine: SshMachine) -> Facts | StepFailed:
    try:
        return await read_facts(machine)
    except StepFailed as error:
        return error


def _context(
    stack: StackManifest, secrets: StackSecrets, facts: Mapping[str, Facts], known_hosts: Path
) -> RoleContext:
    return RoleContext(
        stack=stack,
        secrets=secrets,
        release=read_release(),
        certificates=_certificates(stack, secrets),
        addresses={name: _addresses(each) for name, each in facts.items()},
        releases={name: (str(each.distribution), str(each.version)) for name, each in facts.items()},
        known_hosts=known_hosts.read_text(),
    )


def _addresses(facts: Facts) -> tuple[str, ...]:
    return facts.addresses if isinstance(facts.addresses, tuple) else ()


def _certificates(stack: StackManifest, secrets: StackSecrets) -> Mapping[str, CertifiedKey]:
    """Return each machine's certificate: the stack's own, or the operator's files."""
    if stack.certificates.source != "files":
        return secrets.certificates
    folder, found, missing = Path(stack.certificates.folder), {}, []
    for machine in stack.machine_names:
        key, chain = folder / f"{machine}.key", folder / f"{machine}.crt"
        if key.is_file() and chain.is_file():
            found[machine] = CertifiedKey(key.read_text(), chain.read_text())
        else:
            missing += [str(path) for path in (key, chain) if not path.is_file()]
    if missing:
        raise Refused(f"These certificate files are missing: {', '.join(missing)}.", reason="certificates_missing")
    return found

"""One installation of a stack: its machines at hand, surveyed, and what their roles are made from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from tasks.adapters.ssh import SshMachine
from tasks.certificate_files import OwnCertificates, read_certificate_files
from tasks.host_keys import SshPlace, known_hosts_file, pin_host_keys
from tasks.machines import Outcome, read_facts
from tasks.roles.context import RoleContext
from tasks.roles.source import read_release
from tasks.roles.table import ROLES, needs
from tasks.stack_secrets import StackSecrets, ensure_stack_secrets, read_stack_secrets, secrets_file
from tasks.workshop_folders import pack_workshops

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

    Raises Refused: stack_wrong, certificates_wrong, ssh_key_unreadable, host_key_changed, secrets_damaged,
    secrets_missing, workshops_wrong, or machines_unfit with everything that is wrong with any machine.
    """
    stack, state = read_stack(stack_file), state_folder()
    own = await asyncio.to_thread(read_certificate_files, stack, utc_now())
    async with reach(stack, stack.machine_names, ssh_key) as (machines, silent):
        facts, warnings = await _survey(stack, machines, silent)
        _refuse_strangers(stack, facts, secrets_file(state, stack.name))
        make = read_stack_secrets if only_looks else ensure_stack_secrets
        secrets = await make(state, stack, utc_now())
        known_hosts = known_hosts_file(state, stack.name)
        context = await asyncio.to_thread(role_context, stack, secrets, own, facts, known_hosts)
        opened = Installation(context, machines, warnings)
        token = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(token)


def _refuse_strangers(stack: StackManifest, facts: Mapping[str, Facts], secrets: Path) -> None:
    """Refuse to give machines that are installed already new secrets, because theirs are elsewhere or lost."""
    installed = [name for name, each in facts.items() if each.roles]
    if installed and not secrets.exists():
        raise Refused(
            f"{', '.join(installed)} are installed already, but the secrets of the stack {stack.name} are not"
            f" here. Copy secrets.yaml from where they were installed, or from your safe place, to {secrets}."
            " If it is lost, remove /var/lib/wod-installer/roles on each machine: new secrets are made then,"
            " which ends all sessions.",
            reason="secrets_missing",
        )


@asynccontextmanager
async def reach(
    stack: StackManifest, names: Sequence[str], ssh_key: Path
) -> AsyncIterator[tuple[dict[str, SshMachine], Mapping[str, StepFailed]]]:
    """Yield machines of a stack as the installer works on them, and those that did not answer, with the reason.

    Raises Refused: ssh_key_unreadable, or host_key_changed.
    """
    if not await asyncio.to_thread(ssh_key.is_file):
        raise Refused(f"There is no ssh key {ssh_key}. Name the private key file.", reason="ssh_key_unreadable")
    state, logins = state_folder(), {name: stack.ssh_login(name) for name in names}
    places = [SshPlace(name, login.host, login.port) for name, login in logins.items()]
    silent = await pin_host_keys(state, stack.name, places)
    machines = {
        name: SshMachine(
            name,
            f"{login.user}@{login.host}:{login.port}",
            known_hosts=known_hosts_file(state, stack.name),
            client_key=ssh_key,
            python=("sudo", "-n", "python3"),
        )
        for name, login in logins.items()
    }
    try:
        yield machines, silent
    finally:
        await asyncio.gather(*(machine.close() for machine in machines.values()))


async def _survey(
    stack: StackManifest, machines: Mapping[str, SshMachine], silent: Mapping[str, StepFailed]
) -> tuple[dict[str, Facts], tuple[Problem, ...]]:
    """Return what all machines are, or refuse with everything that is wrong with any of them."""
    facts, away = await facts_of(machines, silent)
    found = [problem for name, each in facts.items() for problem in problems(name, each, needs(stack, name))]
    found += [Problem(name, 0, 0, error.message, error.detail) for name, error in away.items()]
    if any(problem.severity is Severity.ERROR for problem in found):
        raise Refused(
            "\n".join([*map(str, sorted(found)), "Nothing was changed on any machine."]), reason="machines_unfit"
        )
    return facts, tuple(found)


async def facts_of(
    machines: Mapping[str, SshMachine], silent: Mapping[str, StepFailed]
) -> tuple[dict[str, Facts], dict[str, StepFailed]]:
    """Return what machines are, and why others can't be asked: those that were `silent` and those that are now."""
    asked = [name for name in machines if name not in silent]
    answers = dict(zip(asked, await asyncio.gather(*(_facts(machines[name]) for name in asked)), strict=True))
    facts = {name: answer for name, answer in answers.items() if isinstance(answer, Facts)}
    away = {name: answer for name, answer in answers.items() if isinstance(answer, StepFailed)}
    return facts, {**silent, **away}


async def _facts(machine: SshMachine) -> Facts | StepFailed:
    try:
        return await read_facts(machine)
    except StepFailed as error:
        return error


def role_context(
    stack: StackManifest,
    secrets: StackSecrets,
    own: OwnCertificates,
    facts: Mapping[str, Facts],
    known_hosts: Path,
) -> RoleContext:
    """Return what the roles of a stack are made from; of a machine without facts, no address is known."""
    return RoleContext(
        stack=stack,
        secrets=secrets,
        release=read_release(),
        certificates={**secrets.certificates, **own.of_machines},
        authorities=(secrets.ca_certificate, *own.authorities),
        addresses={name: _addresses(facts.get(name)) for name in stack.machine_names},
        releases={name: (str(each.distribution), str(each.version)) for name, each in facts.items()},
        known_hosts=known_hosts.read_text(),
        workshops=pack_workshops(stack),
    )


def _addresses(facts: Facts | None) -> tuple[str, ...]:
    return facts.addresses if facts and isinstance(facts.addresses, tuple) else ()

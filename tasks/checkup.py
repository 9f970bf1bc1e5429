"""A stack that is being checked: its machines at hand, and what they were found to be."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import Refused, StepFailed
from models.rules.machine_facts import Facts
from models.settings import state_folder
from models.stack_manifest import StackManifest, read_stack
from models.tables import utc_now
from tasks.adapters.doors import Doors
from tasks.adapters.ssh import SshMachine
from tasks.certificate_files import read_certificate_files
from tasks.host_keys import known_hosts_file
from tasks.installation import facts_of, reach, role_context
from tasks.roles.context import RoleContext
from tasks.stack_secrets import read_stack_secrets, secrets_file


@dataclass(frozen=True)
class Wishes:
    """What an operator wants of a check.

    `mail_to` gets the mails, empty: the sender's own address. `workshop` is booked on each backend, empty: the
    first of the catalog; without `books` none is.
    """

    mail_to: str = ""
    workshop: str = ""
    books: bool = True


@dataclass(frozen=True)
class Checkup:
    """A stack, its machines that answer and their `facts`, those that don't, and the way to its doors.

    `ca_file` holds the authorities that the stack's machines trust beside the usual ones.
    """

    context: RoleContext
    machines: Mapping[str, SshMachine]
    facts: Mapping[str, Facts]
    silent: Mapping[str, StepFailed]
    doors: Doors
    ca_file: Path
    wishes: Wishes

    @property
    def stack(self) -> StackManifest:
        """The stack's manifest."""
        return self.context.stack

    @property
    def mail_to(self) -> str:
        """Who gets the mails of the check."""
        return self.wishes.mail_to or self.stack.mail.sender


@asynccontextmanager
async def checkup(stack_file: Path, ssh_key: Path, wishes: Wishes) -> AsyncIterator[Checkup]:
    """Open a check of a stack. A machine that does not answer is part of what is found.

    Raises Refused: stack_wrong, certificates_wrong, ssh_key_unreadable, host_key_changed, secrets_damaged, or
    secrets_missing when the stack was not installed from here.
    """
    stack, state = read_stack(stack_file), state_folder()
    if not await asyncio.to_thread(secrets_file(state, stack.name).is_file):
        raise Refused(
            f"There are no secrets of the stack {stack.name} in {state}. Check it where it was installed from, or"
            " name that state folder with --state.",
            reason="secrets_missing",
        )
    secrets = await read_stack_secrets(state, stack, utc_now())
    own = await asyncio.to_thread(read_certificate_files, stack, utc_now())
    async with reach(stack, stack.machine_names, ssh_key) as (machines, silent):
        facts, away = await facts_of(machines, silent)
        known_hosts = known_hosts_file(state, stack.name)
        context = await asyncio.to_thread(role_context, stack, secrets, own, facts, known_hosts)
        with tempfile.TemporaryDirectory() as folder:
            ca_file = Path(folder) / "authorities.pem"
            ca_file.write_text("".join(context.authorities))
            doors = Doors(ca_file)
            try:
                yield Checkup(context, machines, facts, away, doors, ca_file, wishes)
            finally:
                await doors.close()

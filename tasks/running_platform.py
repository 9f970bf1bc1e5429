"""What the steps of this process work with: settings, database, machines, hubs, mail."""

from __future__ import annotations

import asyncio
import hashlib
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.backend_list import LOCAL_MACHINE
from models.errors import Refused
from models.rules.passwords import hub_token
from models.settings import Settings
from models.store.bookings import BookingDetails, details
from models.store.database import Database
from models.tables import Backend
from tasks.adapters.hub import Hub
from tasks.adapters.machine import LocalMachine, Machine
from tasks.adapters.smtp import Mailer
from tasks.adapters.ssh import SshMachine
from tasks.operator_variables import operator_variables, variables_on
from tasks.seats import SeatPlace


@dataclass
class Platform:
    """One process's hold on the platform; `owner` signs its leases."""

    settings: Settings
    database: Database
    mailer: Mailer
    owner: str
    machines: dict[str, Machine] = field(default_factory=dict)
    hubs: dict[str, Hub] = field(default_factory=dict)
    servers_to_start: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    def machine(self, backend: Backend) -> Machine:
        """Return the machine that a backend's seats are on.

        Raises:
            Refused: ssh_not_set, when it is another machine and its keys are not set.
        """
        if backend.machine not in self.machines:
            self.machines[backend.machine] = self._machine(backend)
        return self.machines[backend.machine]

    def _machine(self, backend: Backend) -> Machine:
        if backend.machine == LOCAL_MACHINE:
            return LocalMachine(backend.name)
        known_hosts, client_key = self.settings.ssh_known_hosts_file, self.settings.ssh_key_file
        if known_hosts is None or client_key is None:
            raise Refused(
                f"{backend.name} is another machine: set ssh_known_hosts_file and ssh_key_file.",
                reason="ssh_not_set",
            )
        return SshMachine(
            backend.name,
            backend.machine,
            known_hosts=known_hosts,
            client_key=client_key,
            python=("sudo", "-n", "python3"),
            seat_agent=("sudo", "-n", backend.seat_agent) if backend.seat_agent else (),
        )

    def hub(self, backend: Backend) -> Hub:
        """Return the REST client of a backend's hub."""
        if backend.hub_api_url not in self.hubs:
            token = self.token(backend)
            self.hubs[backend.hub_api_url] = Hub(backend.hub_api_url, token, ca_file=self.settings.ca_file)
        return self.hubs[backend.hub_api_url]

    def token(self, backend: Backend) -> str:
        """Return what is shown to a backend's hub: on this machine the token of the settings, else one of its own.

        So who breaks into one backend can't speak to the hub of another.
        """
        token = self.settings.secret("hub_token")
        return token if backend.machine == LOCAL_MACHINE else hub_token(token, backend.name)

    def place(self, booking: BookingDetails) -> SeatPlace:
        """Return where on its machine a booking's seat is, with the generation that may work on it."""
        return SeatPlace(
            account=booking.seat.account,
            generation=booking.booking.seat_generation,
            homes=Path(booking.backend.homes or self.settings.homes),
            isolation=booking.backend.isolation or self.settings.isolation,
            # Arguments can be seen by all, and who knows the reference may end the booking.
            booking=hashlib.sha256(booking.booking.reference.encode()).hexdigest()[:16],
        )

    def variables(self, backend: Backend) -> dict[str, Any]:
        """Return what templates may use on a backend, as the operator's variables stood at the start."""
        return variables_on(self.settings, self._operator_variables, backend.name, backend.hub_url)

    @cached_property
    def _operator_variables(self) -> dict[str, Any]:
        return operator_variables(self.settings)

    @property
    def snapshots(self) -> Path:
        """The folder of the workshops' contents, one folder a digest."""
        return self.settings.state_dir / "content"

    def archive(self, booking_id: int) -> Path:
        """Return the file that holds a student's work."""
        return self.settings.state_dir / "archives" / f"{booking_id}.zip"

    async def close(self) -> None:
        """Take leave of the mail server, the hubs and the database."""
        await self.mailer.close()
        for hub in self.hubs.values():
            await hub.close()
        await self.database.close()

    async def details(self, booking_id: int) -> BookingDetails:
        """Return a booking as it is now."""
        async with self.database.transaction() as session:
            return await details(session, booking_id)


_current: ContextVar[Platform] = ContextVar("platform")


def use_platform(platform: Platform) -> None:
    """Make `platform` the one that the steps called from here on work with."""
    _current.set(platform)


def current_platform() -> Platform:
    """Return the platform of this process.

    Raises:
        LookupError: outside of an engine; the flows run in one, on work from the pool `wod-engine`.

    """
    return _current.get()

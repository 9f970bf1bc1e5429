"""What the steps of this process work with: settings, database, machines, hubs, mail."""

from __future__ import annotations

import asyncio
import hashlib
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.errors import Refused
from models.settings import Settings
from models.store.bookings import BookingDetails, details
from models.store.database import Database
from models.tables import Backend
from tasks.adapters.hub import Hub
from tasks.adapters.machine import LocalMachine, Machine
from tasks.adapters.smtp import Mailer
from tasks.adapters.ssh import SshMachine
from tasks.catalog_sync import known_variables
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
        if backend.machine == "local":
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
        )

    def hub(self, backend: Backend) -> Hub:
        """Return the REST client of a backend's hub."""
        if backend.hub_api_url not in self.hubs:
            self.hubs[backend.hub_api_url] = Hub(backend.hub_api_url, self.settings.secret("hub_token"))
        return self.hubs[backend.hub_api_url]

    def place(self, booking: BookingDetails) -> SeatPlace:
        """Return where on its machine a booking's seat is, with the generation that may work on it."""
        return SeatPlace(
            account=booking.seat.account,
            generation=booking.booking.seat_generation,
            homes=self.settings.homes,
            isolation=self.settings.isolation,
            # Arguments can be seen by all, and who knows the reference may end the booking.
            booking=hashlib.sha256(booking.booking.reference.encode()).hexdigest()[:16],
        )

    @cached_property
    def variables(self) -> dict[str, Any]:
        """What templates may use before any booking is known, as the settings stood at the start."""
        return known_variables(self.settings)

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

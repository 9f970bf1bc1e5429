"""What bookings cost: time to the credentials mail, and CPU by service."""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deployments.rehearsal.maildir import credentials_of, kind_of
from deployments.rehearsal.own_platform import OwnPlatform, own_platform
from models.errors import Refused, StepFailed
from models.rules.booking import MailKind

_BOOKING_SECONDS = 120.0
_BURST_SECONDS = 600.0
# Prefect writes its events some seconds behind; what comes after this is counted as the platform's rest.
_SETTLE_SECONDS = 8.0
# A start goes on for a while behind the scenes; then a whole minute, since Prefect's loops come once in one.
_AFTER_START_SECONDS = 30.0
_REST_SECONDS = 60.0


@dataclass
class BookingFigures:
    """What a benchmark found. Times in seconds, memory in MB; CPU in seconds a booking, by service."""

    workshop: str
    seats: int
    asked: int
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    refusals_with_retry_time: int = 0
    distinct_seats: int = 0
    credentials_mails: int = 0
    seconds_median: float = 0
    seconds_last: float = 0
    seconds: list[float] = field(default_factory=list)
    cpu_per_booking: dict[str, float] = field(default_factory=dict)
    cpu_per_booking_total: float = 0
    seconds_up: float = 0
    rest_cpu_percent: float = 0
    rest_memory_mb: float = 0
    begun: dict[str, float] = field(default_factory=dict, repr=False)
    accounts: set[str] = field(default_factory=set, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in ("begun", "accounts")}


def bench_booking(workshop: Path, *, count: int, seats: int, is_burst: bool) -> BookingFigures:
    """Book a workshop `count` times on a platform of its own with `seats` seats, and measure.

    In a burst all bookings are made at once; otherwise each begins when the one before is ready and its seat
    settled.

    Raises:
        Refused: workshop_missing, too_few_seats.
        StepFailed: when the platform doesn't come up, or a mail doesn't come.
    """
    if count > seats and not is_burst:
        raise Refused(
            f"{count} bookings one after the other need as many seats: add --seats {count}, or --burst.",
            reason="too_few_seats",
        )
    with catalog_of(workshop, seats) as catalog:
        begun = time.monotonic()
        with own_platform(catalog, seats=seats) as platform:
            figures = BookingFigures(workshop.name, seats, count, seconds_up=round(time.monotonic() - begun, 2))
            _measure_rest(platform, figures)
            asyncio.run((_burst if is_burst else _one_by_one)(platform, workshop.name, figures))
            return figures


def _measure_rest(platform: OwnPlatform, figures: BookingFigures) -> None:
    """Measure the platform before anything is booked, once what its start set off is done."""
    time.sleep(_AFTER_START_SECONDS)
    before, begun = _cpu(platform), time.monotonic()
    time.sleep(_REST_SECONDS)
    status = platform.status()
    used = sum(_cpu(platform).values()) - sum(before.values())
    figures.rest_cpu_percent = round(100 * used / (time.monotonic() - begun), 1)
    figures.rest_memory_mb = status["memory_mb"]


async def _one_by_one(platform: OwnPlatform, workshop: str, figures: BookingFigures) -> None:
    used: dict[str, float] = defaultdict(float)
    async with httpx.AsyncClient(base_url=platform.api_url, timeout=_BOOKING_SECONDS) as api:
        for number in range(figures.asked):
            before = await asyncio.to_thread(_cpu, platform)
            await _book(api, workshop, number, figures)
            await _collect_mails(platform, figures, {_address(number)}, _BOOKING_SECONDS)
            await asyncio.sleep(_SETTLE_SECONDS)
            after = await asyncio.to_thread(_cpu, platform)
            rest = figures.rest_cpu_percent / 100 * _SETTLE_SECONDS
            for name, seconds in after.items():
                used[name] += seconds - before[name]
            used["rest, counted off"] -= rest
    _sum_up(figures, used)


async def _burst(platform: OwnPlatform, workshop: str, figures: BookingFigures) -> None:
    before = await asyncio.to_thread(_cpu, platform)
    limits = httpx.Limits(max_connections=figures.asked)
    async with httpx.AsyncClient(base_url=platform.api_url, timeout=_BURST_SECONDS, limits=limits) as api:
        accepted = await asyncio.gather(
            *(_book(api, workshop, number, figures) for number in range(figures.asked))
        )
    addresses = {_address(number) for number, is_accepted in enumerate(accepted) if is_accepted}
    await _collect_mails(platform, figures, addresses, _BURST_SECONDS)
    await asyncio.sleep(_SETTLE_SECONDS)
    after = await asyncio.to_thread(_cpu, platform)
    _sum_up(figures, {name: after[name] - before[name] for name in after})


async def _book(api: httpx.AsyncClient, workshop: str, number: int, figures: BookingFigures) -> bool:
    wish = {"workshop": workshop, "email": _address(number), "name": f"Student {number}", "accept_terms": True}
    figures.begun[_address(number)] = time.time()
    answer = await api.post("/api/v1/bookings", json=wish)
    if answer.status_code == 201:
        figures.accepted += 1
        return True
    problem = answer.json()
    figures.refused[problem["reason"]] = figures.refused.get(problem["reason"], 0) + 1
    figures.refusals_with_retry_time += bool(problem.get("retry_at"))
    return False


async def _collect_mails(
    platform: OwnPlatform, figures: BookingFigures, addresses: set[str], timeout_seconds: float
) -> None:
    """Wait for the credentials mails to the addresses and take their times from the mailbox's files."""
    deadline = time.monotonic() + timeout_seconds
    mailbox = platform.mailbox
    found: dict[str, str] = {}
    while len(found) < len(addresses):
        if time.monotonic() > deadline:
            raise StepFailed(f"Only {len(found)} of {len(addresses)} mails came.", reason="mail_missing")
        await asyncio.sleep(0.05)
        for arrived_at, mail in mailbox.arrivals():
            address = mail["To"].addresses[0].addr_spec
            if address in addresses and kind_of(mail) == MailKind.CREDENTIALS:
                found[address] = credentials_of(mail).username
                figures.credentials_mails += 1
                figures.seconds.append(round(arrived_at - figures.begun[address], 3))
    figures.accounts |= set(found.values())
    figures.distinct_seats = len(figures.accounts)


def _sum_up(figures: BookingFigures, used: Mapping[str, float]) -> None:
    done = max(figures.accepted, 1)
    figures.cpu_per_booking = {name: round(seconds / done, 3) for name, seconds in sorted(used.items())}
    figures.cpu_per_booking_total = round(sum(used.values()) / done, 3)
    if figures.seconds:
        figures.seconds_median = round(statistics.median(figures.seconds), 3)
        figures.seconds_last = max(figures.seconds)


def _cpu(platform: OwnPlatform) -> dict[str, float]:
    """Return the CPU seconds that each service and its ended children have used."""
    return {each["name"]: each["cpu_seconds"] for each in platform.status()["services"]}


@contextmanager
def catalog_of(workshop: Path, seats: int) -> Iterator[Path]:
    """Yield a catalog with a copy of one workshop, active and with all seats."""
    manifest = workshop / "wod.yml"
    if not manifest.is_file():
        raise Refused(f"{workshop} is no workshop: there is no wod.yml in it.", reason="workshop_missing")
    with tempfile.TemporaryDirectory(prefix="wod-bench-") as folder:
        copy = Path(folder) / workshop.name
        shutil.copytree(workshop, copy)
        text = manifest.read_text(encoding="utf-8-sig")
        for name, value in {"active": "true", "capacity": str(seats), "range": f"[1,{seats}]"}.items():
            text = re.sub(rf"(?m)^{name}:.*$", f"{name}: {value}", text)
        (copy / "wod.yml").chmod(0o644)
        (copy / "wod.yml").write_text(text)
        yield Path(folder)


def _address(number: int) -> str:
    return f"student{number}@example.com"

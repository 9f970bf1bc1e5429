"""A rush: catalog pages open, and more students booking than there are seats, for as long as one likes.

Attempts begin at their moments, however long those before them take: a slow API gets no rest by being slow.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deployments.bench.booking import catalog_of
from deployments.bench.visitors import Visits, visitors
from deployments.rehearsal.own_platform import OwnPlatform, own_platform
from deployments.stack.credentials import read_secret
from models.rules.booking import BookingState
from models.store.database import Database
from models.store.verifying import known_bookings, seats_given_twice

# What asks the API; each is measured on its own.
BOOK, FOLLOW, LIST = "POST bookings", "GET bookings/…", "GET workshops"
# Every tenth student clicks twice.
_TWICE = 10
_FOLLOW_SECONDS, _LIST_SECONDS = 1.0, 0.5
_ANSWER_SECONDS = 60.0
_READY_SECONDS = 900.0
_GIVEN_UP = (BookingState.ABANDONING, BookingState.FAILED)


@dataclass(frozen=True)
class RouteFigures:
    """How long a route took, in milliseconds, by percentile."""

    answers: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass
class LoadFigures:
    """What a rush found. `wrong` says in words which promise was broken; it is empty when none was.

    `answers` counts the answers to booking attempts, by reason; `pages` are those of the catalog.
    """

    sessions: int
    attempts_a_second: float
    seconds: float
    seats: int
    routes: dict[str, RouteFigures] = field(default_factory=dict)
    pages: RouteFigures | None = None
    answers: dict[str, int] = field(default_factory=dict)
    booked: int = 0
    ready: int = 0
    wrong: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            **vars(self),
            "routes": {name: vars(each) for name, each in self.routes.items()},
            "pages": vars(self.pages) if self.pages else None,
        }


class _Rush:
    """The students of one rush, and what they were told."""

    def __init__(self, api: httpx.AsyncClient, workshop: str) -> None:
        self._api, self._workshop = api, workshop
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self.answers: Counter[str] = Counter()
        self.references: list[str] = []
        self.wrong: list[str] = []

    async def book_for(self, seconds: float, rate: float) -> None:
        """Begin attempts at a rate, each student from an address of their own, and wait for all answers."""
        begun, tasks = time.monotonic(), []
        for number in range(round(seconds * rate)):
            await asyncio.sleep(begun + number / rate - time.monotonic())
            # Whoever clicks twice is the student of the attempt before.
            student = number - 1 if number % _TWICE == _TWICE - 1 else number
            tasks.append(asyncio.create_task(self._book(student)))
        await asyncio.gather(*tasks)

    async def look_on(self) -> None:
        """Read the list and follow the newest booking, over and over, as programs do."""
        turn = 0
        while True:
            await self._ask(LIST, "GET", "/api/v1/workshops")
            if turn % (_FOLLOW_SECONDS / _LIST_SECONDS) == 0:
                for reference in self.references[-5:]:
                    await self._ask(FOLLOW, "GET", f"/api/v1/bookings/{reference}")
            turn += 1
            await asyncio.sleep(_LIST_SECONDS)

    async def _book(self, student: int) -> None:
        wish = {
            "workshop": self._workshop,
            "email": f"student{student}@example.com",
            "name": f"Student {student}",
            "accept_terms": True,
        }
        address = f"198.18.{student // 250 % 250}.{student % 250}"  # of the range for benchmarks (RFC 2544)
        answer = await self._ask(BOOK, "POST", "/api/v1/bookings", json=wish, headers={"X-Forwarded-For": address})
        if answer is None:
            self.answers["no answer"] += 1
            return
        told = answer.json()
        self.answers["booked" if answer.status_code == 201 else told["reason"]] += 1
        if answer.status_code == 201:
            self.references.append(told["reference"])

    async def _ask(self, route: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        begun = time.monotonic()
        try:
            answer = await self._api.request(method, path, **options)
        except httpx.HTTPError as error:
            self.wrong.append(f"{route}: {type(error).__name__}")
            return None
        self.milliseconds[route].append(1000 * (time.monotonic() - begun))
        if answer.status_code >= 500:
            self.wrong.append(f"{route}: {answer.status_code}")
        return answer


def bench_load(workshop: Path, *, sessions: int, rate: float, seconds: float, seats: int) -> LoadFigures:
    """Bring a platform up with `seats` seats and have `rate` booking attempts a second come for `seconds`.

    Raises:
        Refused: workshop_missing.
        StepFailed: when the platform doesn't come up, or its catalog shows no page.
    """
    figures = LoadFigures(sessions, rate, seconds, seats)
    with catalog_of(workshop, seats) as catalog, own_platform(catalog, seats=seats) as platform:
        asyncio.run(_rush(platform, workshop.name, figures))
    return figures


async def _rush(platform: OwnPlatform, workshop: str, figures: LoadFigures) -> None:
    database = Database(read_secret(platform.layout, "database_url"))
    limits = httpx.Limits(max_connections=200)
    timeout = httpx.Timeout(_ANSWER_SECONDS)
    async with httpx.AsyncClient(base_url=platform.api_url, timeout=timeout, limits=limits) as api:
        rush = _Rush(api, workshop)
        async with visitors(platform.settings.url("catalog"), [workshop], figures.sessions) as visits:
            looking = asyncio.create_task(rush.look_on())
            await rush.book_for(figures.seconds, figures.attempts_a_second)
            looking.cancel()
            await asyncio.wait([looking])
    _sum_up(figures, rush, visits)
    try:
        await _verify(database, figures, rush.references)
    finally:
        await database.close()


def _sum_up(figures: LoadFigures, rush: _Rush, visits: Visits) -> None:
    figures.routes = {name: _percentiles(taken) for name, taken in sorted(rush.milliseconds.items())}
    figures.pages = _percentiles([1000 * each for each in visits.seconds])
    figures.answers = dict(rush.answers.most_common())
    figures.booked = len(rush.references)
    figures.wrong = [*rush.wrong, *visits.failures]


async def _verify(database: Database, figures: LoadFigures, told: list[str]) -> None:
    """Hold what students were told against what the database knows, until all their seats are ready."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        async with database.transaction() as session:
            known, twice = await known_bookings(session), await seats_given_twice(session)
        held = [known[each] for each in told if each in known]
        figures.ready = sum(each.was_ready for each in held)
        given_up = [each for each in held if each.state in _GIVEN_UP]
        if figures.ready + len(given_up) >= len(told) or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    findings = {
        "seats were given twice": twice,
        "students were told 'booked' and have no booking": len(set(told) - set(known)),
        "bookings have no student who was told": len(set(known) - set(told)),
        "bookings were given up": len(given_up),
        "bookings were not ready in time": len(told) - figures.ready - len(given_up),
        "seats are free although students were refused": max(0, figures.seats - len(known))
        if figures.answers.get("workshop_full")
        else 0,
    }
    figures.wrong += [f"{count} {what}" for what, count in findings.items() if count]


def _percentiles(taken: list[float]) -> RouteFigures:
    if len(taken) < 2:
        return RouteFigures(len(taken), *(round(sum(taken), 1) for _ in range(4)))
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return RouteFigures(len(taken), *(round(each, 1) for each in (cuts[49], cuts[94], cuts[98], max(taken))))

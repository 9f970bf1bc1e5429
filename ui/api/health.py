"""Route: the truth about each part that the API can see."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Response

from models.settings import Settings
from models.store.backends import BackendCondition, backend_conditions
from models.store.condition import (
    DATABASE_AWAY,
    TABLES_MISSING,
    Backlog,
    backlog,
    newest_revision,
    revision,
)
from models.store.engines import living_engines
from models.tables import EngineBeat, utc_now
from ui.api.parts import DatabaseHere, SettingsHere
from ui.api.schemas import Health, Part, PartName

# A promised mail waits for other bookings' steps and for short troubles of the mail server, not longer.
_MAIL_LIMIT_SECONDS = 300

router = APIRouter(prefix="/api", tags=["health"])


@router.get(
    "/health",
    responses={503: {"model": Health, "description": "The API can't do its own work: status is `down`."}},
)
async def read_health(response: Response, settings: SettingsHere, database: DatabaseHere) -> Health:
    """Return how the platform is doing.

    503 means that this API can't serve: its database is away, or has other tables than it needs. When only
    the engines, the mail server or a backend lag, bookings are taken all the same: 200, with the status
    `degraded`.
    """
    try:
        async with database.transaction() as session:
            at = await revision(session)
            is_newest = at == newest_revision()
            waiting = await backlog(session, utc_now()) if is_newest else None
            conditions = await backend_conditions(session) if is_newest else []
            engines = await living_engines(session, utc_now()) if is_newest else []
    except DATABASE_AWAY:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="down", parts={"database": Part(ok=False, message="The database is away.")})
    except TABLES_MISSING:
        at, waiting, conditions, engines = "none", None, [], []
    answers = Part(ok=True, message="The database answers.")
    if waiting is None:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        wrong = f"The database is at migration {at}; this release needs {newest_revision()}."
        return Health(status="down", parts={"database": answers, "migrations": Part(ok=False, message=wrong)})
    fits = Part(ok=True, message=f"The database is at migration {at}, as this release needs it.")
    others: dict[PartName, Part] = {
        "engine": _engine(waiting, engines, settings),
        "mail": _mail(waiting),
        "backends": _backends(conditions),
        # Only an engine knows.
        **({"prefect": _prefect(engines)} if engines else {}),
    }
    return Health(
        status="ok" if all(part.ok for part in others.values()) else "degraded",
        parts={"database": answers, "migrations": fits, **others},
    )


def _engine(waiting: Backlog, engines: Sequence[EngineBeat], settings: Settings) -> Part:
    if not engines:
        message = "No engine runs: bookings are taken, and wait to be served."
        return Part(ok=False, message=message, seconds=round(waiting.booking_seconds, 1))
    # A booking whose engine died is due again when the lease ends, and found by the next sweep.
    limit = settings.lease_seconds + 2 * settings.sweep_seconds
    ok = waiting.booking_seconds <= limit
    message = "No booking waits for an engine for long." if ok else "Bookings wait: no engine keeps up."
    return Part(ok=ok, message=message, seconds=round(waiting.booking_seconds, 1))


def _mail(waiting: Backlog) -> Part:
    ok = waiting.mail_seconds <= _MAIL_LIMIT_SECONDS
    message = "No promised mail waits for long." if ok else "Promised mails wait to be sent."
    return Part(ok=ok, message=message, seconds=round(waiting.mail_seconds, 1))


def _backends(conditions: Sequence[BackendCondition]) -> Part:
    # Why not is for `wod status`: it may name machines and accounts, and everybody may ask here.
    without_seats = [each.name for each in conditions if not each.is_ready or each.failure]
    without_hub = [each.name for each in conditions if each.hub_failure]
    wrong = [
        f"{what}: {', '.join(names)}."
        for what, names in (("Not all seats are there", without_seats), ("The hub does not answer", without_hub))
        if names
    ]
    message = " ".join(wrong) or "The seats of all backends are there, and their hubs answer."
    return Part(ok=not wrong, message=message)


def _prefect(engines: Sequence[EngineBeat]) -> Part:
    ok = all(each.sees_prefect for each in engines)
    away = "Prefect does not answer: bookings are served, and shown there later."
    return Part(ok=ok, message="Prefect answers." if ok else away)

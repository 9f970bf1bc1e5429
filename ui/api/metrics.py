"""Route: figures for Prometheus, from the database as it is now and from this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from models.rules.networks import is_among, networks
from models.store.backends import backend_conditions
from models.store.condition import Backlog, backlog
from models.store.figures import (
    BookingFigures,
    SeatFigures,
    booking_figures,
    mail_figures,
    seat_figures,
    waiting_figures,
    webhook_figures,
)
from models.tables import utc_now
from ui.api.errors import problem_response
from ui.api.lasting import Lasting
from ui.api.parts import DatabaseHere, SettingsHere

# Seconds from a booking to its seat; a seat is promised within seconds, and given up after minutes.
_READY_LIMITS = (1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600)

router = APIRouter(prefix="/api", include_in_schema=False)


class Figures:
    """What is read from all rows of all times, as it was a moment ago."""

    def __init__(self) -> None:
        self.bookings = Lasting(partial(booking_figures, limits=_READY_LIMITS))
        self.mails = Lasting(mail_figures)
        self.webhooks = Lasting(webhook_figures)
        self.waiting = Lasting(waiting_figures)


@router.get("/metrics")
async def read_metrics(request: Request, settings: SettingsHere, database: DatabaseHere) -> Response:
    """Return the figures in Prometheus' text format, to the addresses that the operator allows."""
    address = request.client.host if request.client else ""
    if not is_among(address, networks(settings.metrics_allowed)):
        return problem_response(
            HTTPStatus.FORBIDDEN,
            "metrics_closed",
            "The figures are for operators. The setting metrics_allowed lists who may read them.",
        )
    figures: Figures = request.app.state.figures
    async with database.transaction() as session:
        metrics = [
            *_bookings(await figures.bookings.get(session)),
            *_seats(await seat_figures(session)),
            _pairs(
                "wod_mails", "Mails, by what became of them.", ("kind", "fate"), await figures.mails.get(session)
            ),
            _pairs(
                "wod_webhook_deliveries",
                "Deliveries to partners' webhooks, by what became of them.",
                ("event", "fate"),
                await figures.webhooks.get(session),
            ),
            _singles(
                "wod_waiting_places", "Places in lines, by state.", "state", await figures.waiting.get(session)
            ),
            *_lags(await backlog(session, utc_now())),
            _singles(
                "wod_backend_well",
                "Whether a backend's seats are all there, and its hub answers.",
                "backend",
                {each.name: int(each.is_well) for each in await backend_conditions(session)},
            ),
        ]
    text = generate_latest(_Found(metrics)) + generate_latest(request.app.state.request_metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class _Found(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _bookings(figures: BookingFigures) -> list[Metric]:
    ready = HistogramMetricFamily("wod_time_to_ready_seconds", "Time from a booking to its seat being ready.")
    limits = [*(str(float(limit)) for limit in _READY_LIMITS), "+Inf"]
    buckets = list(zip(limits, (*figures.within, figures.ready), strict=True))
    ready.add_metric([], buckets, figures.ready_seconds)
    return [_singles("wod_bookings", "All bookings there ever were, by state.", "state", figures.by_state), ready]


def _seats(found: Iterable[SeatFigures]) -> list[Metric]:
    seats = GaugeMetricFamily("wod_seats", "Seats, by what they are doing.", labels=("backend", "use"))
    for each in found:
        for use, count in (("booked", each.booked), ("offered", each.offered), ("free", each.free)):
            seats.add_metric([each.backend, use], count)
    return [seats]


def _lags(waiting: Backlog) -> list[Metric]:
    lags = {
        "wod_engine_lag_seconds": (
            "How long the oldest due booking has waited for an engine.",
            waiting.booking_seconds,
        ),
        "wod_mail_lag_seconds": ("How long the oldest promised mail has waited to be sent.", waiting.mail_seconds),
    }
    return [GaugeMetricFamily(name, text, value=value) for name, (text, value) in lags.items()]


def _singles(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    return _pairs(name, text, (label,), {(key,): count for key, count in counts.items()})


def _pairs(name: str, text: str, labels: tuple[str, ...], counts: Mapping[tuple[str, ...], int]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        metric.add_metric(values, count)
    return metric

"""The API as an ASGI application: `uvicorn --factory ui.api.main:create_app --no-access-log --no-proxy-headers`.

Which proxies are believed is a setting, so the server itself must not believe any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models.rules.links import origin_of
from models.settings import Settings, load_settings
from models.store.badges import badge_holders
from models.store.catalog import popular_workshops
from models.store.database import Database
from ui.api import (
    badges,
    bookings,
    docs,
    health,
    metrics,
    own_page,
    pictures,
    previews,
    waiting,
    workshops,
)
from ui.api.errors import PROBLEM_MEDIA_TYPE, install_handlers
from ui.api.guard import Guard, configure_logging
from ui.api.lasting import Lasting
from ui.api.legacy.attempts import Attempts
from ui.api.legacy.routers import ROUTERS as LEGACY_ROUTERS
from ui.api.metrics import Figures
from ui.api.partners import bookings as partner_bookings
from ui.api.partners import webhooks as partner_webhooks
from ui.api.partners.access import KeyLimiter
from ui.api.parts import problem_answers
from ui.api.rates import Rates
from ui.api.request_metrics import RequestMetrics

# In a rush some requests wait for the locks of others, and all the rest must not wait for them.
_CONNECTIONS = 16

_DESCRIPTION = """\
Book hands-on workshops on JupyterHub. A booking takes an e-mail address and a name; seconds later a private
seat with the workshop's notebooks is ready, and its password is in the mail.

Refusals are application/problem+json with a stable reason for programs and a message for people.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the API of the platform that `settings` describe, by default those of this process."""
    chosen = settings or load_settings()
    configure_logging(chosen.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(chosen.secret("database_url"), pool_size=_CONNECTIONS)
        yield
        await app.state.database.close()

    app = FastAPI(
        title=f"{chosen.brand} API",
        description=_DESCRIPTION,
        version=version("workshops-on-demand"),
        lifespan=lifespan,
        webhooks=partner_webhooks.messages,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings = chosen
    app.state.key_limiter = KeyLimiter()
    app.state.popular_workshops = Lasting(popular_workshops)
    app.state.badge_holders = Lasting(badge_holders)
    app.state.figures = Figures()
    app.state.request_metrics = RequestMetrics()
    app.state.attempts = Attempts(chosen.login_rate)
    for part in (
        workshops,
        pictures,
        bookings,
        waiting,
        own_page,
        badges,
        partner_bookings,
        partner_webhooks,
        health,
        metrics,
        docs,
        previews,
    ):
        app.include_router(part.router)
    for router in LEGACY_ROUTERS:
        app.include_router(router)
    install_handlers(app)
    app.add_middleware(Rates, settings=chosen)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin_of(chosen.url("catalog")), *chosen.cors_origins],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Idempotency-Key", "X-Access-Token"],
        expose_headers=["*"],
    )
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(chosen.trusted_proxies))
    app.add_middleware(Guard, metrics=app.state.request_metrics)
    _correct_openapi(app)
    return app


def _correct_openapi(app: FastAPI) -> None:
    generate = app.openapi

    def corrected() -> dict[str, Any]:
        if app.openapi_schema is None:
            problem_answers(generate(), PROBLEM_MEDIA_TYPE)
        return generate()

    app.openapi = corrected  # type: ignore[method-assign]

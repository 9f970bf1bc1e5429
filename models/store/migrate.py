"""Bringing a database to the tables of this release.

`python -m models.store.migrate` does so with the database of the settings.
"""

from __future__ import annotations

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, QueryCanceled
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

import models.door_tables  # fills the metadata, with models.tables
import models.migrations
from models.errors import StepFailed
from models.settings import load_settings

# Any number that all migrating processes share: they wait for each other at this lock.
_MIGRATION_LOCK = 20_261_123

# Reservations come to these tables in this order: locked in it, who has begun can finish, and others wait.
_LOCKED_FIRST = ("workshop", "booking", "seat", "backend")

# Well below PostgreSQL's deadlock_timeout, one second: where the locks and somebody wait for each other all the
# same, it is the locks that give way.
_LOCK_MILLISECONDS = 500
_PAUSE_SECONDS = 0.1

# Longer than a backup reads the tables.
_PATIENCE_SECONDS = 120.0


def upgrade(database_url: str) -> None:
    """Apply the migrations that a database lacks; several processes may try at once.

    Who works with the database meanwhile, such as the release before, waits until that is done.

    Raises:
        StepFailed: database_in_use, when its tables are never all free at once.

    """
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        config = alembic_config(connection)
        newest = ScriptDirectory.from_config(config).get_heads()
        if set(MigrationContext.configure(connection).get_current_heads()) != set(newest):
            _lock_tables(connection)
            command.upgrade(config, "head")
    engine.dispose()


def write_migration(database_url: str, about: str) -> None:
    """Write the migration from the tables of a database to those of models.tables."""
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        command.revision(alembic_config(connection), message=about, autogenerate=True)
    engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(models.migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def _lock_tables(connection: Connection) -> None:
    """Lock all tables that there are, at once: migrations that lock one after the other end in deadlocks."""
    ordered = dict.fromkeys([*_LOCKED_FIRST, *SQLModel.metadata.tables])
    there = set(inspect(connection).get_table_names())
    names = ", ".join(f'"{table}"' for table in ordered if table in there)
    if not names:
        return
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with connection.begin_nested():
                connection.execute(text(f"SET LOCAL statement_timeout = {_LOCK_MILLISECONDS}"))
                connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
                connection.execute(text("SET LOCAL statement_timeout TO DEFAULT"))
        except OperationalError as error:
            if not isinstance(error.orig, (QueryCanceled, DeadlockDetected)):
                raise
            if time.monotonic() > deadline:
                raise StepFailed(
                    "The tables can't be brought to this release: somebody has used them without a pause for"
                    f" {_PATIENCE_SECONDS:.0f} s. Stop the API and the engines, then do it again.",
                    reason="database_in_use",
                ) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


if __name__ == "__main__":
    upgrade(load_settings().secret("database_url"))

"""Bringing a database to the tables of this release.

`python -m models.store.migrate` does so with the database of the settings.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url, text

import models.migrations
from models.settings import load_settings

# Any number that all migrating processes share: they wait for each other at this lock.
_MIGRATION_LOCK = 20_261_123


def upgrade(database_url: str) -> None:
    """Apply the migrations that a database lacks; several processes may try at once."""
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        command.upgrade(alembic_config(connection), "head")
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


if __name__ == "__main__":
    upgrade(load_settings().secret("database_url"))

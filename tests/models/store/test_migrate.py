from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine

from models.store.migrate import alembic_config, upgrade

pytestmark = pytest.mark.integration

# Where the database of the last release stands.
BEFORE = "0002"


def test_the_migrations_lead_to_the_tables(postgres):
    url = postgres.new_database().replace("postgresql://", "postgresql+psycopg://")
    with create_engine(url).begin() as connection:
        command.check(alembic_config(connection))


def test_processes_that_migrate_together_wait_for_each_other(postgres):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE together")
    url = postgres.url.rsplit("/", 1)[0] + "/together"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [url] * 4))
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    assert count == 1


def test_a_backend_that_was_in_use_stays_so(postgres):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE before_other_machines")
    url = postgres.url.rsplit("/", 1)[0] + "/before_other_machines"
    with create_engine(url.replace("postgresql://", "postgresql+psycopg://")).begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO backend (name, number, hub_url, hub_api_url, machine, created_at)"
            " VALUES ('be1', 1, '', '', 'local', now())"
        )
    upgrade(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT ready_at = created_at, homes, retired FROM backend").fetchone()
    assert row == (True, "", False)


def test_the_release_before_goes_on_writing_rows_while_it_is_replaced(postgres):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE being_upgraded")
    url = postgres.url.rsplit("/", 1)[0] + "/being_upgraded"
    with create_engine(url.replace("postgresql://", "postgresql+psycopg://")).begin() as connection:
        command.upgrade(alembic_config(connection), BEFORE)
    known = set(_columns(url))
    upgrade(url)
    tables = {table for table, _ in known}
    needed = [name for name, is_needed in _columns(url).items() if is_needed]
    assert [name for name in needed if name[0] in tables and name not in known] == []


def _columns(url: str) -> dict[tuple[str, str], bool]:
    """Return for each column whether who writes a row has to know it."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, is_nullable = 'NO' AND column_default IS NULL"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    return {(table, name): is_needed for table, name, is_needed in rows}

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine

from models.store.migrate import alembic_config, upgrade

pytestmark = pytest.mark.integration


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

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

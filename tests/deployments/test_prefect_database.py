"""What becomes of Prefect's database when its server was killed while it made its first tables."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from postgres import PrivatePostgres

from deployments.stack.database import drop_half_made_prefect

pytestmark = pytest.mark.integration

BEGUN = "CREATE TABLE alembic_version (version_num text)"
MADE = "CREATE TABLE deployment (id int)"
USED = "INSERT INTO deployment VALUES (1)"


@pytest.fixture
def prefect_url(postgres: PrivatePostgres) -> Iterator[str]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE prefect")
        yield postgres.url.rsplit("/", 1)[0] + "/prefect"
        connection.execute("DROP DATABASE IF EXISTS prefect")


def _is_there_after(postgres: PrivatePostgres, url: str) -> bool:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        drop_half_made_prefect(connection, url)
        return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = 'prefect'").fetchone())


@pytest.mark.parametrize(
    ("statements", "is_kept"),
    [([], True), ([BEGUN], False), ([BEGUN, MADE], False), ([BEGUN, MADE, USED], True)],
)
def test_only_a_database_that_was_begun_and_never_used_is_made_anew(postgres, prefect_url, statements, is_kept):
    with psycopg.connect(prefect_url, autocommit=True) as prefect:
        for statement in statements:
            prefect.execute(statement)
    assert _is_there_after(postgres, prefect_url) == is_kept


def test_a_database_whose_server_runs_is_left_alone(postgres, prefect_url):
    with psycopg.connect(prefect_url, autocommit=True) as prefect:
        prefect.execute(BEGUN)
        assert _is_there_after(postgres, prefect_url)


def test_where_there_is_none_there_is_nothing_to_do(postgres):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        drop_half_made_prefect(connection, postgres.url)

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine

from models.errors import StepFailed
from models.store import migrate
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


def test_the_release_before_goes_on_writing_rows_while_it_is_replaced(used_before):
    known = set(_columns(used_before))
    upgrade(used_before)
    tables = {table for table, _ in known}
    needed = [name for name, is_needed in _columns(used_before).items() if is_needed]
    assert [name for name in needed if name[0] in tables and name not in known] == []


@pytest.fixture
def used_before(postgres):
    """Yield the address of a database with the tables and a workshop of the release before."""
    name = f"used_before_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgres.url.rsplit("/", 1)[0] + f"/{name}"
    with create_engine(url.replace("postgresql://", "postgresql+psycopg://")).begin() as connection:
        command.upgrade(alembic_config(connection), BEFORE)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO workshop (key, title, description, active, capacity, priority, seat_first, seat_last,"
            " duration_hours, needs_reset, varies_password, ldap, beta, category, presenter, presenter_role,"
            " avatar, image, badge_image, replay_id, replay_link, session_type, source, content_digest,"
            " created_at, updated_at) VALUES ('WKSHP-One', '', '', true, 1, 1, 1, 1, 1, false, false, false,"
            " false, '{}', '', '', '', '', '', 0, '', '', '', '', now(), now())"
        )
    return url


def test_a_platform_in_use_is_upgraded_and_nothing_of_it_fails(used_before):
    is_upgraded = threading.Event()

    def reserve():
        """Use the tables as reservations do, until the new release is there and for a moment more."""
        done = 0
        with psycopg.connect(used_before) as connection:
            while done < 20 or not is_upgraded.is_set():
                with connection.transaction():
                    connection.execute(
                        "SELECT key FROM workshop WHERE capacity > (SELECT count(*) FROM booking) AND EXISTS"
                        " (SELECT FROM seat s JOIN backend b ON b.id = s.backend_id WHERE s.number >= seat_first)"
                    )
                    connection.execute("SELECT id FROM workshop WHERE key = 'WKSHP-One' FOR UPDATE")
                    time.sleep(0.01)
                    connection.execute("SELECT b.id FROM booking b JOIN seat s ON s.id = b.seat_id")
                    connection.execute("SELECT 1 FROM mail LIMIT 1")
                    connection.execute("UPDATE workshop SET priority = priority + 1")
                done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        students = [pool.submit(reserve) for _ in range(4)]
        time.sleep(0.3)
        try:
            upgrade(used_before)
        finally:
            is_upgraded.set()
        done = sum(student.result() for student in students)
    with psycopg.connect(used_before) as connection:
        assert connection.execute("SELECT priority, readme FROM workshop").fetchone() == (1 + done, "")


def test_a_table_that_is_never_free_is_told_and_nothing_has_changed(used_before, monkeypatch):
    monkeypatch.setattr(migrate, "_PATIENCE_SECONDS", 1.0)
    before = _columns(used_before)
    with psycopg.connect(used_before) as reader:
        reader.execute("SELECT 1 FROM mail")
        with pytest.raises(StepFailed) as failure:
            upgrade(used_before)
        with psycopg.connect(used_before) as other:
            other.execute("UPDATE workshop SET priority = 2")
    assert failure.value.reason == "database_in_use"
    assert _columns(used_before) == before
    upgrade(used_before)
    assert _columns(used_before) != before


def test_what_is_upgraded_already_is_not_locked(postgres, monkeypatch):
    monkeypatch.setattr(migrate, "_PATIENCE_SECONDS", 0.0)
    url = postgres.new_database()
    with psycopg.connect(url) as reader:
        reader.execute("SELECT 1 FROM mail")
        upgrade(url)


def _columns(url: str) -> dict[tuple[str, str], bool]:
    """Return for each column whether who writes a row has to know it."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, is_nullable = 'NO' AND column_default IS NULL"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    return {(table, name): is_needed for table, name, is_needed in rows}

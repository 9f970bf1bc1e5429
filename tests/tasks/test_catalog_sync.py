import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from store_samples import mails_of, state_of

from models.errors import Refused, StepFailed
from models.rules.booking import MailKind
from models.settings import Settings
from models.store.backends import offer_backend, take_in_backends
from models.store.catalog import offers
from models.store.reservations import Reservation, reserve
from models.store.waiting import join_line
from models.tables import Backend, utc_now
from tasks import catalog_sync
from tasks.catalog_sync import sync_workshops

pytestmark = pytest.mark.integration

MANIFEST = "name: {key}\ndescription: A workshop.\nactive: true\ncapacity: 5\nrange: [1,5]\nduration: 2\n"


def write_workshop(catalog: Path, key: str, *, manifest: str = MANIFEST, text: str = "Seat {{ STDID }}") -> Path:
    folder = catalog / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wod.yml").write_text(manifest.format(key=key))
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": [text]}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "0-ReadMeFirst.ipynb").write_text(json.dumps(notebook))
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(state_dir=tmp_path / "state", seats=10)


@pytest.fixture
def catalog(tmp_path):
    for key in ("WKSHP-One", "WKSHP-Two"):
        write_workshop(tmp_path / "catalog", key)
    return tmp_path / "catalog"


def wish(name: str) -> Reservation:
    address = f"{name}@example.com"
    return Reservation(workshop_key="WKSHP-One", email=address, email_key=address, name=name)


async def offer_seats(database):
    async with database.transaction() as session:
        backend = Backend(name="be", number=1, hub_url="", hub_api_url="")
        await take_in_backends(session, [backend], {1: 10})
        await offer_backend(session, 1, [f"student{n}" for n in range(1, 11)], utc_now())


async def offered(database):
    async with database.transaction() as session:
        return {each.workshop.key: each.workshop for each in await offers(session)}


async def test_a_second_sync_changes_nothing(database, settings, catalog):
    first = await sync_workshops(database, settings, str(catalog))
    assert (first.changed, first.unchanged, first.left_out) == (["WKSHP-One", "WKSHP-Two"], [], [])
    before = await offered(database)
    second = await sync_workshops(database, settings, str(catalog))
    assert (second.changed, second.unchanged) == ([], ["WKSHP-One", "WKSHP-Two"])
    assert await offered(database) == before


async def test_one_broken_workshop_stops_no_other_and_keeps_its_last_valid_state(database, settings, catalog):
    await sync_workshops(database, settings, str(catalog))
    write_workshop(catalog, "WKSHP-One", text="{{ UNHEARD_OF }}")
    write_workshop(catalog, "WKSHP-Two", text="new")
    write_workshop(catalog, "WKSHP-Three", manifest="name: [\n")
    before = await offered(database)
    report = await sync_workshops(database, settings, str(catalog))
    assert (report.changed, report.left_out) == (["WKSHP-Two"], ["WKSHP-One", "WKSHP-Three"])
    assert {problem.path.split("/")[0] for problem in report.problems} == {"WKSHP-One", "WKSHP-Three"}
    after = await offered(database)
    assert set(after) == {"WKSHP-One", "WKSHP-Two"}
    assert after["WKSHP-One"].content_digest == before["WKSHP-One"].content_digest


async def test_what_vanished_is_retired_while_its_booking_keeps_its_content(
    database, settings, catalog, monkeypatch
):
    await offer_seats(database)
    await sync_workshops(database, settings, str(catalog))
    async with database.transaction() as session:
        booking = await reserve(session, wish("a"), utc_now(), hour_seconds=1)
    (catalog / "WKSHP-One").rename(catalog.parent / "gone")
    monkeypatch.setattr(catalog_sync, "_SNAPSHOT_REST_SECONDS", 0)
    report = await sync_workshops(database, settings, str(catalog))
    assert report.retired == ["WKSHP-One"]
    assert set(await offered(database)) == {"WKSHP-Two"}
    assert (settings.state_dir / "content" / booking.content_digest / "0-ReadMeFirst.ipynb").is_file()
    with pytest.raises(Refused) as refusal:
        async with database.transaction() as session:
            await reserve(session, wish("b"), utc_now(), hour_seconds=1)
    assert refusal.value.reason == "workshop_unknown"
    (catalog.parent / "gone").rename(catalog / "WKSHP-One")
    assert (await sync_workshops(database, settings, str(catalog))).changed == ["WKSHP-One"]


async def test_those_who_wait_for_what_vanished_are_told(database, settings, catalog):
    write_workshop(catalog, "WKSHP-One", manifest=MANIFEST.replace("capacity: 5", "capacity: 1"))
    await offer_seats(database)
    await sync_workshops(database, settings, str(catalog))
    async with database.transaction() as session:
        await reserve(session, wish("a"), utc_now(), hour_seconds=1)
        entry = await join_line(session, wish("b"), utc_now(), limit=1, hour_seconds=1)
    (catalog / "WKSHP-One").rename(catalog.parent / "gone")
    await sync_workshops(database, settings, str(catalog))
    assert await state_of(database, entry) == "closed"
    assert await mails_of(database, entry) == [MailKind.WAITING, MailKind.LINE_CLOSED]


async def test_contents_that_nobody_needs_are_dropped_after_a_rest(database, settings, catalog, monkeypatch):
    await sync_workshops(database, settings, str(catalog))
    write_workshop(catalog, "WKSHP-One", text="new")
    await sync_workshops(database, settings, str(catalog))
    contents = settings.state_dir / "content"
    assert len(list(contents.iterdir())) == 3
    monkeypatch.setattr(catalog_sync, "_SNAPSHOT_REST_SECONDS", -1)
    await sync_workshops(database, settings, str(catalog))
    in_use = {workshop.content_digest for workshop in (await offered(database)).values()}
    assert {folder.name for folder in contents.iterdir()} == in_use


async def test_two_catalogs_stand_beside_each_other(database, settings, catalog, tmp_path):
    await sync_workshops(database, settings, str(catalog))
    write_workshop(tmp_path / "other", "WKSHP-Other")
    write_workshop(tmp_path / "other", "WKSHP-One", text="an impostor")
    report = await sync_workshops(database, settings, str(tmp_path / "other"))
    assert (report.changed, report.left_out, report.retired) == (["WKSHP-Other"], ["WKSHP-One"], [])
    assert str(catalog) in next(problem.message for problem in report.problems if problem.path == "WKSHP-One")
    assert set(await offered(database)) == {"WKSHP-One", "WKSHP-Two", "WKSHP-Other"}


async def test_a_git_repository_is_taken_in_as_it_is_now(database, settings, catalog):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.test"]
        subprocess.run(["git", "-C", str(catalog), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "Workshops.")
    source = f"file://{catalog}"
    assert (await sync_workshops(database, settings, source)).changed == ["WKSHP-One", "WKSHP-Two"]
    write_workshop(catalog, "WKSHP-Two", text="pushed")
    git("commit", "-q", "-a", "-m", "A new text.")
    assert (await sync_workshops(database, settings, source)).changed == ["WKSHP-Two"]


@pytest.mark.parametrize(
    ("source", "error", "reason"),
    [
        ("/nowhere", Refused, "catalog_not_found"),
        ("ext::sh -c true", Refused, "catalog_not_found"),
        ("https://127.0.0.1:1/none.git", StepFailed, "command_failed"),
    ],
)
async def test_a_source_that_is_none_changes_nothing(database, settings, catalog, source, error, reason):
    await sync_workshops(database, settings, str(catalog))
    with pytest.raises(error) as refusal:
        await sync_workshops(database, settings, source)
    assert refusal.value.reason == reason
    assert set(await offered(database)) == {"WKSHP-One", "WKSHP-Two"}


async def test_updated_at_tells_of_the_last_change(database, settings, catalog):
    await sync_workshops(database, settings, str(catalog))
    before = (await offered(database))["WKSHP-One"].updated_at
    write_workshop(catalog, "WKSHP-One", text="new")
    await sync_workshops(database, settings, str(catalog))
    assert (await offered(database))["WKSHP-One"].updated_at - before > timedelta(0)

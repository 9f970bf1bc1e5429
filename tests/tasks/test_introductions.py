"""What a sync of real folders makes of their first notebooks."""

import base64
import json
import re
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from models.settings import Settings
from models.store.pictures import picture
from tasks.catalog_sync import sync_workshops
from tasks.introductions import LARGEST_PICTURE_MB, MOST_CHARACTERS

pytestmark = pytest.mark.integration

MANIFEST = "name: W\ndescription: A workshop.\nactive: true\ncapacity: 5\nrange: [1,5]\nduration: 2\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SAMPLES = Path(__file__).parents[2] / "deployments/workshops"


def write(catalog: Path, *cells: str, files: dict[str, bytes], **extra: object) -> None:
    folder = catalog / "WKSHP-One"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wod.yml").write_text(MANIFEST)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    written = [
        {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": [words], **extra}
        for number, words in enumerate(cells)
    ]
    notebook = {"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "0-ReadMeFirst.ipynb").write_text(json.dumps(notebook))


@pytest.fixture
def settings(tmp_path):
    return Settings(state_dir=tmp_path / "state", seats=10, brand="Our Workshops")


async def synced(database, settings, catalog):
    await sync_workshops(database, settings, str(catalog))
    async with database.transaction() as session:
        return dict((await session.execute(text("SELECT key, readme FROM workshop"))).tuples().all())


async def kept(database, readme):
    async with database.transaction() as session:
        found = re.findall(r"/api/v1/workshops/([^/]+)/pictures/([0-9a-f]{24}\.\w+)", readme)
        return [await picture(session, key, name) for key, name in found]


async def test_an_introduction_is_for_readers_without_a_seat(database, settings, tmp_path):
    write(
        tmp_path,
        "{{ BRANDINGLOGO }}   ![Logo](Pictures/logo.png)\n\n# {{ BRANDINGWOD }}\nSeat {{ STDID }}, {{ PASSSTU }}",
        "{% if MODEWS == 'CHLG' %}Challenge{% endif %}",
        "![out](../secret.png) ![text](notes.png) ![gone](x.png)",
        files={"Pictures/logo.png": PNG, "notes.png": b"no picture"},
    )
    (tmp_path / "secret.png").write_bytes(PNG)
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    name = readme.partition("/pictures/")[2].partition(")")[0]
    assert readme == (
        f"![Logo](/api/v1/workshops/WKSHP-One/pictures/{name})\n\n"
        "## Our Workshops\nSeat N, your password\n\nout text gone"
    )
    assert [(each.media_type, each.content) for each in await kept(database, readme)] == [("image/png", PNG)]


async def test_notebooks_that_count_with_a_seats_number_show_the_first(database, settings, tmp_path):
    write(tmp_path, "Port {{ 8000 + STDID }}", files={})
    assert (await synced(database, settings, tmp_path))["WKSHP-One"] == "Port 8001"


async def test_pictures_inside_the_notebook_are_shown(database, settings, tmp_path):
    attachments = {"a.png": {"image/png": base64.b64encode(PNG).decode()}}
    write(tmp_path, "![A](attachment:a.png)", files={}, attachments=attachments)
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert [each.content for each in await kept(database, readme)] == [PNG]


async def test_attachments_that_are_no_pictures_are_left_out(database, settings, tmp_path):
    large = base64.b64encode(PNG + bytes(LARGEST_PICTURE_MB * 1024 * 1024)).decode()
    attachments = {
        "json.png": {"application/json": 5},
        "lines.png": {"application/json": 5, "image/png": [base64.b64encode(PNG).decode()]},
        "large.png": {"image/png": large},
        "odd.png": {"image/png": "a"},
    }
    write(
        tmp_path,
        " ".join(f"![{name}](attachment:{name})" for name in attachments),
        files={},
        attachments=attachments,
    )
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert re.sub(r"\(.*\)", "()", readme) == "json.png ![lines.png]() large.png odd.png"
    assert [each.content for each in await kept(database, readme)] == [PNG]


@pytest.mark.parametrize(
    ("name", "content", "is_shown"),
    [
        ("a.svg", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a > b -- c -->\n<!DOCTYPE svg>\n<svg/>", True),
        ("b.svg", b"<!--" + b"long " * 1000 + b"-->\n<!----><svg>", True),
        ("c.svg", b"<!--" + b"long " * 20_000 + b"--><svg>", False),
        ("d.svg", b"<!--a-->\n" * 20 + b"<html>", False),
        ("e.svg", b"<!--" * 400_000, False),
        ("f.svg", b"<!" * 400_000, False),
        ("g.svg", b"<?xml" + b" " * 1_000_000, False),
        ("h.svg", b"<!--a-->" + b"\n" * 1_000_000, False),
        ("i.svg", b"-" * 1_000_000, False),
        ("j.svg", b"<svg>" + b" " * LARGEST_PICTURE_MB * 1024 * 1024, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_picture_is_told_by_how_it_begins_and_soon(database, settings, tmp_path, name, content, is_shown):
    write(tmp_path, f"![A]({name})", files={name: content})
    started = time.process_time()
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert time.process_time() - started < 5
    assert [each.content for each in await kept(database, readme)] == [content] * is_shown


async def test_a_picture_that_is_shown_often_is_read_once(database, settings, tmp_path):
    picture_of_3_mb = b"\xff\xd8\xff" + bytes(LARGEST_PICTURE_MB * 1024 * 1024 - 3)
    write(tmp_path, "![](a)" * 8000, files={"a": picture_of_3_mb})
    started = time.process_time()
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert time.process_time() - started < 10
    assert readme.count("/pictures/") == 8000


async def test_pictures_that_are_shown_no_more_are_dropped(database, settings, tmp_path):
    write(tmp_path, "![A](a.png)", files={"a.png": PNG})
    before = (await synced(database, settings, tmp_path))["WKSHP-One"]
    write(tmp_path, "![A](a.png)", files={"a.png": PNG + b"\1"})
    after = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert [each.content for each in await kept(database, after)] == [PNG + b"\1"]
    with pytest.raises(Exception, match="no such picture"):
        await kept(database, before)


async def test_the_samples_are_introduced_with_their_pictures(database, settings):
    for key, readme in (await synced(database, settings, SAMPLES)).items():
        assert readme.startswith("!["), key
        assert not re.search(r"\{\{|\{%|<\w+[ >]", readme), key
        assert {each.media_type for each in await kept(database, readme)} == {"image/svg+xml"}


async def test_a_long_introduction_ends_at_a_paragraph(database, settings, tmp_path):
    write(tmp_path, "A paragraph of it.\n\n" * 2000, "More.\n\n" * 3000, "Never shown.", files={})
    readme = (await synced(database, settings, tmp_path))["WKSHP-One"]
    assert len(readme) <= MOST_CHARACTERS + 10
    assert readme.endswith("More.\n\n…")

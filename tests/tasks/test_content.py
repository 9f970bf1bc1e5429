"""What a seat gets of a workshop: snapshots, and what is rendered from them."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path

import pytest
from workshop_samples import PLATFORM, check, deliver, notebook, workshop

from models.errors import Refused
from models.rules.seats import SeatOffer
from models.rules.variables import booking_variables
from tasks.content import (
    render_workshop,
    take_snapshot,
)


def test_a_workshop_is_delivered_rendered(tmp_path: Path) -> None:
    folder = workshop(
        tmp_path / "catalog",
        **{
            "Data/run.sh": "#!/bin/sh\n{% if STDID %}\necho {{ STDID }} {{ PASSSTU }}\n{% endif %}\n",
            "lab.yml": "a: {{ item }}\n",
            "Pictures/a.png": b"\x89PNG\x00\xff",
            ".ipynb_checkpoints/0-ReadMeFirst-checkpoint.ipynb": "x",
            ".git/config": "x",
            "old-checkpoint.ipynb": "x",
        },
    )
    (folder.path / "Data/run.sh").chmod(0o744)

    report = check(folder)
    delivered = deliver(report, tmp_path, seat=2)

    assert report.problems == ()
    assert report.offer == SeatOffer(1, 2, 2)
    assert sorted(delivered) == [f"WKSHP-X/{name}" for name in sorted(report.files)]
    assert set(report.files) == {"0-ReadMeFirst.ipynb", "Data/run.sh", "Pictures/a.png", "lab.yml", "wod.yml"}
    assert delivered["WKSHP-X/Data/run.sh"] == b"#!/bin/sh\necho 2 pw-1\n"
    assert delivered["WKSHP-X/lab.yml"] == b"a: {{ item }}\n"
    assert delivered["WKSHP-X/Pictures/a.png"] == b"\x89PNG\x00\xff"
    assert json.loads(delivered["WKSHP-X/0-ReadMeFirst.ipynb"])["cells"][0]["source"] == "Seat 2"


def test_a_delivery_is_the_same_each_time_and_keeps_executable_bits(tmp_path: Path) -> None:
    folder = workshop(
        tmp_path / "catalog",
        **{"deep/er/run.sh": "echo", "ä/b.txt": "x", "n.ipynb": notebook("x", nbformat_minor=5)},
    )
    (folder.path / "deep/er/run.sh").chmod(0o755)
    snapshot = tmp_path / "s" / take_snapshot(check(folder), tmp_path / "s")
    variables = booking_variables(PLATFORM, "WKSHP-X", 1, 1, "pw")

    first, second = (render_workshop(snapshot, "WKSHP-X", variables) for _ in range(2))

    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = {member.name: member for member in tar}
    assert next(iter(members)) == "WKSHP-X"
    assert all(member.mtime == member.uid == member.gid == 0 for member in members.values())
    assert members["WKSHP-X/deep/er"].isdir()
    assert members["WKSHP-X/deep/er/run.sh"].mode == 0o755
    assert members["WKSHP-X/ä/b.txt"].mode == 0o644


def test_a_snapshot_is_whole_read_only_and_made_once(tmp_path: Path) -> None:
    folder = workshop(tmp_path / "catalog", **{"Data/run.sh": "echo"})
    snapshots = tmp_path / "snapshots"
    report = check(folder)

    digest = take_snapshot(report, snapshots)
    made = (snapshots / digest / "wod.yml").stat()
    again = take_snapshot(check(folder), snapshots)

    assert digest == again == report.digest
    assert len(digest) == 64
    assert [path.name for path in snapshots.iterdir()] == [digest]
    assert (snapshots / digest / "wod.yml").stat().st_ino == made.st_ino
    assert stat.S_IMODE(made.st_mode) == 0o444
    (folder.path / "Data/run.sh").chmod(0o755)
    executable = check(folder).digest
    (folder.path / "Data/run.sh").rename(folder.path / "Data/go.sh")
    renamed = check(folder).digest
    assert len({digest, executable, renamed}) == 3


def test_files_that_changed_since_the_check_are_not_taken(tmp_path: Path) -> None:
    folder = workshop(tmp_path / "catalog")
    report = check(folder)
    (folder.path / "more.py").write_text("{{ UNKNOWN }}")

    with pytest.raises(Refused) as refused:
        take_snapshot(report, tmp_path / "s")

    assert refused.value.reason == "content_changed"
    assert list((tmp_path / "s").iterdir()) == []


def test_a_broken_workshop_is_not_taken(tmp_path: Path) -> None:
    report = check(workshop(tmp_path, **{"n.ipynb": "{"}))

    with pytest.raises(Refused, match=r"WKSHP-X/n.ipynb:1:2: error: The file is not JSON") as refused:
        take_snapshot(report, tmp_path / "s")

    assert refused.value.reason == "content_invalid"
    assert not (tmp_path / "s").exists()


def test_content_that_fails_at_the_booking_is_refused_whole(tmp_path: Path) -> None:
    folder = workshop(tmp_path / "catalog", **{"a.sh": "{{ A }}{{ B }}", "b.ipynb": notebook("{{ A }}")})
    snapshots = tmp_path / "s"
    digest = take_snapshot(check(folder, A="1", B="2"), snapshots)

    with pytest.raises(Refused) as refused:
        render_workshop(snapshots / digest, "WKSHP-X", booking_variables(PLATFORM, "WKSHP-X", 1, 1, "pw"))

    assert refused.value.reason == "content_invalid"
    assert [line.split(" is not")[0] for line in refused.value.message.splitlines()[1:]] == [
        "a.sh:1:4: error: The variable A",
        "a.sh:1:11: error: The variable B",
        "b.ipynb:6:18: error: The variable A",
    ]


def test_content_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        render_workshop(tmp_path / ("0" * 64), "WKSHP-X", {})
    assert refused.value.reason == "content_missing"

from __future__ import annotations

import io
import json
import os
import socket
import stat
import tarfile
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from models.errors import Problem, Refused, Severity
from models.rules.seats import SeatOffer
from models.rules.variables import booking_variables, platform_variables
from models.settings import Settings
from tasks.content import (
    WorkshopFolder,
    WorkshopReport,
    check_workshop,
    read_catalog,
    render_workshop,
    take_snapshot,
)
from tasks.operator_variables import load_variables

CONTENT = Path(__file__).parents[3] / "shared" / "wod-notebooks"
PLATFORM = platform_variables(Settings(brand="Labs", brand_owner="ACME"), "localhost", "127.0.0.1", {})
MANIFEST = "name: X\ndescription: d\nactive: true\ncapacity: 2\nrange: [1, 2]\nduration: 2\n"


def notebook(*sources: str, **fields: Any) -> dict[str, Any]:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} | fields


def workshop(catalog: Path, key: str = "WKSHP-X", **files: str | bytes | dict[str, Any]) -> WorkshopFolder:
    """Write a workshop that has no problem, with further files or other ones."""
    folder = catalog / key
    folder.mkdir(parents=True)
    given = {"wod.yml": MANIFEST, "0-ReadMeFirst.ipynb": notebook("Seat {{ STDID }}")} | files
    for name, content in given.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content, indent=1)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return next(each for each in read_catalog(catalog) if each.key == key)


def check(folder: WorkshopFolder, **platform: Any) -> WorkshopReport:
    return check_workshop(folder, [100], PLATFORM | platform)


def errors(report: WorkshopReport) -> list[Problem]:
    found = [problem for problem in report.problems if problem.severity is Severity.ERROR]
    assert report.can_be_offered == (not found)
    assert all(problem.path.startswith("WKSHP") and problem.message and problem.remedy for problem in found)
    return found


def deliver(
    report: WorkshopReport, tmp_path: Path, key: str = "", seat: int = 1, **platform: Any
) -> dict[str, bytes]:
    """Return what a seat gets, by name."""
    digest = take_snapshot(report, tmp_path / "snapshots")
    offer = report.offer
    assert offer is not None
    variables = booking_variables(PLATFORM | platform, key or report.key, seat, offer.first, "pw-1")
    with tarfile.open(
        fileobj=io.BytesIO(render_workshop(tmp_path / "snapshots" / digest, report.key, variables))
    ) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


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


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("", (1, 1), "not JSON"),
        ('{\n "cells": [\n  }', (3, 3), "not JSON"),
        ("{\n", (2, 1), "not JSON"),
        ('{"a": 1}\n<<<<<<< HEAD\n', (2, 1), "not JSON"),
        ("print('hello')", (1, 1), "not JSON"),
        ("[]", (1, 1), "not a notebook"),
        ('{"cells": []}', (1, 1), "not a notebook"),
        ('{"cells": [], "nbformat": "4"}', (1, 1), "not a notebook"),
        ('{"cells": [], "nbformat": 9, "nbformat_minor": 0, "metadata": {}}', (1, 1), "newer than 4"),
        ('{"cells": {}, "nbformat": 4, "metadata": {}}', (1, 1), "Not a valid notebook, cells"),
        ('{"nbformat": 3, "worksheets": 7}', (1, 1), "can't be upgraded"),
        ('{"cells": [], "nbformat": 4, "metadata": {"x": NaN}}', (1, 1), "doesn't allow"),
        ('{"cells": [], "nbformat": 4, "metadata": {"x": "\\ud800"}}', (1, 1), "doesn't allow"),
        ("[" * 100_000, (1, 1), "doesn't allow"),
        ('{"nbformat": 4, "metadata": ' + '{"a":' * 100 + "1" + "}" * 101, (1, 1), "nested too deeply"),
        (b'{"cells": [],\n "x": "\xff"', (2, 8), "not text in UTF-8"),
        (
            notebook("a", "b") | {"cells": [notebook("a")["cells"][0], {"cell_type": "markdown"}]},
            (9, 17),
            "cell 2",
        ),
        (notebook("x") | {"cells": [{"cell_type": "magic", "source": ""}]}, (4, 17), "cell 1"),
    ],
)
def test_a_notebook_that_is_none(
    tmp_path: Path, content: str | bytes | dict[str, Any], place: tuple[int, int], message: str
) -> None:
    report = check(workshop(tmp_path, **{"1-bad.ipynb": content}))

    found = errors(report)
    assert {problem.path for problem in found} == {"WKSHP-X/1-bad.ipynb"}
    assert (found[0].line, found[0].column) == place
    assert message in found[0].message


def old_notebook() -> dict[str, Any]:
    code = {"cell_type": "code", "collapsed": False, "input": "1+1", "language": "python", "metadata": {}}
    cells = [code | {"outputs": [], "prompt_number": 1}, {"cell_type": "markdown", "metadata": {}, "source": "x"}]
    return {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}


def cells(*given: dict[str, Any], minor: int = 5) -> dict[str, Any]:
    return {"cells": list(given), "metadata": {}, "nbformat": 4, "nbformat_minor": minor}


@pytest.mark.parametrize(
    "content",
    [
        old_notebook(),
        cells({"cell_type": "markdown", "metadata": {}, "source": "no id"}),
        cells(*({"id": "same", "cell_type": "markdown", "metadata": {}, "source": "x"},) * 2),
        cells({"id": "bad id!", "cell_type": "markdown", "metadata": {}, "source": "x"}),
        cells({"id": "a", "cell_type": "markdown", "metadata": {}, "source": "x"}, minor=4),
        cells({"cell_type": "code", "source": "x"}, minor=2),
        cells({"cell_type": "markdown", "source": "x", "outputs": [], "execution_count": 3}, minor=0),
        {"cells": [], "nbformat": 4},
        b'\xef\xbb\xbf{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
        '{"cells": [{"cell_type": "markdown", "source": "a\ttab"}], "metadata": {}, "nbformat": 4}',
    ],
    ids=["v3", "no id", "same id", "bad id", "id too early", "code", "markdown", "bare", "bom", "tab"],
)
def test_a_notebook_with_harmless_defects_is_mended(tmp_path: Path, content: Any) -> None:
    report = check(workshop(tmp_path / "c", **{"1-old.ipynb": content}))

    assert report.problems == ()
    delivered = json.loads(deliver(report, tmp_path)["WKSHP-X/1-old.ipynb"])
    nbformat.validate(delivered)
    assert delivered["nbformat"] == 4


def test_what_climbs_out_of_the_folder_or_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workshop(tmp_path / "catalog").path
    (tmp_path / "secret").write_text("secret")
    (folder / "a-out").symlink_to("../../secret")
    (folder / "b-absolute").symlink_to("/etc/passwd")
    (folder / "c-folder").symlink_to("..")
    (folder / "d-broken").symlink_to("nowhere")
    (folder / "e-loop").symlink_to("e-loop")
    os.mkfifo(folder / "f-fifo")
    (folder / "g\nline").write_text("x")
    (folder / "h\\..\\x").write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/i-\xff")).write_text("x")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(folder)  # a socket's path has to be short
        listening.bind("j-socket")
    with (folder / "k-large").open("wb") as large:
        large.truncate(51 * 1024 * 1024)

    found = errors(check(read_catalog(tmp_path / "catalog")[0]))

    assert [(problem.path, problem.message) for problem in found] == [
        ("WKSHP-X/a-out", "The link leads out of the workshop's folder."),
        ("WKSHP-X/b-absolute", "The link leads out of the workshop's folder."),
        ("WKSHP-X/c-folder", "The link leads out of the workshop's folder."),
        ("WKSHP-X/d-broken", "The link leads nowhere."),
        ("WKSHP-X/e-loop", "The link leads nowhere."),
        ("WKSHP-X/f-fifo", "It is neither a file nor a folder."),
        ("WKSHP-X/g\\nline", "The name has a control character or a backslash."),
        ("WKSHP-X/h\\..\\x", "The name has a control character or a backslash."),
        ("WKSHP-X/i-\\udcff", "The name is not UTF-8."),
        ("WKSHP-X/j-socket", "It is neither a file nor a folder."),
        ("WKSHP-X/k-large", "The file has 51 MB; 50 MB are allowed."),
    ]


def test_a_link_inside_the_folder_is_delivered_as_the_file(tmp_path: Path) -> None:
    folder = workshop(tmp_path / "c", **{"Data/a.txt": "text"})
    (folder.path / "b.txt").symlink_to("Data/a.txt")

    assert deliver(check(folder), tmp_path)["WKSHP-X/b.txt"] == b"text"


def test_too_much_content(tmp_path: Path) -> None:
    folder = workshop(tmp_path).path
    for number in range(5):
        with (folder / f"{number}.bin").open("wb") as large:
            large.truncate(45 * 1024 * 1024)

    (problem,) = errors(check(read_catalog(tmp_path)[0]))

    assert problem.message == "The workshop has 225 MB; 200 MB are allowed."


def test_a_notebook_too_large_to_make_for_each_seat(tmp_path: Path) -> None:
    (problem,) = errors(check(workshop(tmp_path, **{"n.ipynb": notebook("x" * 21 * 1024 * 1024)})))

    assert "has 21 MB; 20 MB are allowed" in problem.message


def test_a_workshop_that_is_a_link_out_of_the_catalog(tmp_path: Path) -> None:
    elsewhere = workshop(tmp_path / "elsewhere").path
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "WKSHP-Y").symlink_to(elsewhere)

    found = errors(check(read_catalog(tmp_path / "catalog")[0]))

    assert found[0].message == "The link leads out of the catalog."


@pytest.mark.parametrize("key", ["WKSHP-", "WKSHP-a b", "WKSHP-é", "WKSHP-" + "x" * 61, "WKSHP-x;rm"])
def test_the_name_of_a_workshop(tmp_path: Path, key: str) -> None:
    assert errors(check(workshop(tmp_path, key)))[0].message == "The folder's name is not one of a workshop."


def test_the_manifest_is_checked_with_the_seats(tmp_path: Path) -> None:
    manifest = "name: X\nactive: maybe\ncapacity: 20\nrange: [101, 120]\n"
    report = check(workshop(tmp_path, **{"wod.yml": manifest}))
    assert [(problem.line, problem.field) for problem in errors(report)] == [(2, "active")]

    outside = check(workshop(tmp_path / "2", **{"wod.yml": manifest.replace("maybe", "yes")}))
    assert [(problem.line, problem.column, problem.field) for problem in errors(outside)] == [(4, 8, "range")]

    over = check(workshop(tmp_path / "3", **{"wod.yml": MANIFEST.replace("capacity: 2", "capacity: 9")}))
    assert [(problem.severity, problem.line) for problem in over.problems] == [("warning", 4)]
    assert over.offer == SeatOffer(1, 2, 2)


def test_missing_files_are_told(tmp_path: Path) -> None:
    folder = workshop(tmp_path, **{"wod.yml": MANIFEST + "compile: get-a.sh\n"})
    (folder.path / "0-ReadMeFirst.ipynb").unlink()
    assert [(problem.severity, problem.line) for problem in check(folder).problems] == [
        ("warning", 0),
        ("warning", 7),
    ]
    (folder.path / "wod.yml").unlink()
    assert "There is no wod.yml" in errors(check(folder))[0].message


def test_a_manifest_that_is_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = workshop(tmp_path / "c").path
    (tmp_path / "secret").write_text("name: 'secret\n")
    (folder / "wod.yml").unlink()
    (folder / "wod.yml").symlink_to("../../secret")

    report = check(read_catalog(tmp_path / "c")[0])

    assert "secret" not in "".join(problem.message for problem in errors(report))


def test_one_broken_workshop_stops_no_other(tmp_path: Path) -> None:
    workshop(tmp_path, "WKSHP-A", **{"wod.yml": b"\xff\x00", "n.ipynb": b"\x00", "x.sh": "{{"})
    workshop(tmp_path, "WKSHP-B")
    workshop(tmp_path, "CHLG-B")
    (tmp_path / "WKSHP-note.txt").write_text("not a folder")

    reports = [check(folder) for folder in read_catalog(tmp_path)]

    assert [(report.key, report.can_be_offered) for report in reports] == [
        ("CHLG-B", True),
        ("WKSHP-A", False),
        ("WKSHP-B", True),
    ]
    assert [problem.path for problem in errors(reports[1])] == [
        "WKSHP-A/n.ipynb",
        "WKSHP-A/wod.yml",
        "WKSHP-A/x.sh",
    ]


def test_catalogs(tmp_path: Path) -> None:
    for folder, reason in ((tmp_path / "none", "catalog_not_found"), (tmp_path, "catalog_empty")):
        with pytest.raises(Refused) as refused:
            read_catalog(folder)
        assert refused.value.reason == reason
    (one,) = read_catalog(workshop(tmp_path).path)
    assert one.key == "WKSHP-X"
    assert check(one).can_be_offered


def test_a_challenge_has_the_content_of_its_workshop(tmp_path: Path) -> None:
    text = "{% if MODEWS == 'CHLG' %}{{ CHALLENGE }} {{ QUIZ }}{% else %}{{ WORKSHOP }}{% endif %}"
    workshop(tmp_path / "c", "WKSHP-X", **{"a.sh": text, "b.sh": "b"})
    (tmp_path / "c" / "CHLG-X").mkdir()
    (tmp_path / "c" / "CHLG-X" / "wod.yml").write_text(MANIFEST.replace("name: X", "name: Quiz"))
    challenge, plain = (check(folder) for folder in read_catalog(tmp_path / "c"))

    assert [problem.severity for problem in challenge.problems] == ["error"]
    assert [(problem.severity, problem.message[:14]) for problem in plain.problems] == [
        ("warning", "In a challenge")
    ]
    known = check(challenge.folder, QUIZ="q")
    delivered = deliver(known, tmp_path, QUIZ="q")
    assert delivered["CHLG-X/a.sh"] == b"CHLG-X q"
    assert b"Quiz" in delivered["CHLG-X/wod.yml"]
    assert deliver(plain, tmp_path)["WKSHP-X/a.sh"] == b"WKSHP-X"


def test_what_is_unknown_for_some_seats_only_is_found(tmp_path: Path) -> None:
    folder = workshop(tmp_path, **{"a.sh": "{% if STDID == 2 %}{{ A }}{% endif %}"})
    assert [problem.field for problem in errors(check(folder))] == ["A"]


def test_ports_that_can_not_be(tmp_path: Path) -> None:
    folder = workshop(tmp_path)
    found = check(folder, **{"HTTPPORT-WKSHP-X": 65535}).problems
    assert [problem.message for problem in found] == [
        "Seat 2 would get the port 65536, which is not between 1024 and 65535. Choose another first port than"
        " 65535, or a smaller range."
    ]


def test_the_operators_variables(tmp_path: Path) -> None:
    file = tmp_path / "variables.yml"
    assert load_variables(None) == ({}, [])
    file.write_text("HTTPPORT-WKSHP-X: 16000\n")
    assert load_variables(file) == ({"HTTPPORT-WKSHP-X": 16000}, [])
    file.write_text("a: [\n")
    assert load_variables(file)[1][0].line == 2
    assert "can't be read" in load_variables(tmp_path)[1][0].message


# Real content

needs_content = pytest.mark.skipif(not CONTENT.is_dir(), reason=f"There are no published workshops in {CONTENT}.")

OPERATOR = {
    "IP-WKSHP-Ansible101": "10.0.0.1",
    "HTTPPORT-WKSHP-Ansible101": 16051,
    "IP-WKSHP-Docker101": "10.0.0.2",
    "HTTPPORT-WKSHP-Docker101": 14151,
    "HTTPPORT-WKSHP-Spark101": 17161,
    "SPARKPORT-WKSHP-Spark101": 17101,
    "SPARKTOK": "token",
}


@needs_content
def test_which_published_workshops_can_be_offered_and_why_not() -> None:
    reports = {folder.key: check(folder) for folder in read_catalog(CONTENT)}

    unknown = {
        key: sorted({(problem.field, problem.path.split("/")[1][:1], problem.line) for problem in errors(report)})
        for key, report in reports.items()
    }
    assert unknown == {
        "WKSHP-API101": [],
        "WKSHP-Ansible101": [
            ("HTTPPORT-WKSHP-Ansible101", "2", 610),
            ("IP-WKSHP-Ansible101", "1", 236),
            ("IP-WKSHP-Ansible101", "2", 270),
        ],
        "WKSHP-Docker101": [
            ("HTTPPORT", "3", 348),
            ("HTTPPORT", "4", 62),
            ("IP-WKSHP-Docker101", "2", 23),
            ("IP-WKSHP-Docker101", "3", 23),
            ("IP-WKSHP-Docker101", "4", 16),
            ("range", "w", 9),
        ],
        "WKSHP-GIT101": [],
        "WKSHP-Grommet": [],
        "WKSHP-Jupyter-Notebooks101": [],
        "WKSHP-Python101": [],
        "WKSHP-Spark101": [
            ("HTTPPORT", "1", 32),
            ("SPARKPORT", "1", 37),
            ("SPARKTOK", "1", 32),
            ("range", "w", 9),
        ],
    }
    for report in reports.values():
        assert {problem.field for problem in report.problems} - {each[0] for each in unknown[report.key]} <= {
            "capacity"
        }


@needs_content
def test_published_workshops_pass_once_their_variables_are_defined() -> None:
    for folder in read_catalog(CONTENT):
        report = check_workshop(folder, [2000], PLATFORM | OPERATOR)
        assert report.can_be_offered, report.problems


@needs_content
@pytest.mark.parametrize(
    "key",
    ["API101", "GIT101", "Python101", "Jupyter-Notebooks101", "Grommet", "Ansible101", "Docker101", "Spark101"],
)
def test_published_workshops_come_out_as_valid_notebooks_for_each_seat(key: str, tmp_path: Path) -> None:
    folder = next(each for each in read_catalog(CONTENT) if each.key == f"WKSHP-{key}")
    report = check_workshop(folder, [2000], PLATFORM | OPERATOR)
    assert report.offer is not None
    for seat in range(report.offer.first, report.offer.first + 6):
        delivered = deliver(report, tmp_path, seat=seat, **OPERATOR)
        assert sorted(delivered) == [f"WKSHP-{key}/{name}" for name in sorted(report.files)]
        for name, content in delivered.items():
            if name.endswith(".ipynb"):
                nbformat.validate(json.loads(content))
                assert b"MODEWS" not in content
            elif not name.endswith((".yaml", ".py", ".sh")):
                assert content == (CONTENT / name).read_bytes()


@needs_content
def test_rendering_for_a_booking_is_cheap(tmp_path: Path) -> None:
    report = check(next(each for each in read_catalog(CONTENT) if each.key == "WKSHP-API101"))
    snapshot = tmp_path / take_snapshot(report, tmp_path)
    spent = []
    for seat in range(1, 7):
        variables = booking_variables(PLATFORM, report.key, seat, 1, "pw")
        began = time.process_time()
        render_workshop(snapshot, report.key, variables)
        spent.append(time.process_time() - began)

    assert min(spent[1:]) < 0.05

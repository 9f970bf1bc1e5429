"""What is told of a workshop before it is taken in."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from workshop_samples import MANIFEST, check, deliver, errors, notebook, workshop

from models.errors import Refused
from models.rules.seats import SeatOffer
from tasks.content import (
    read_catalog,
)
from tasks.operator_variables import load_variables


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

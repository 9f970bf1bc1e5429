"""Workshops that were published for the existing system."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from workshop_samples import CONTENT, PLATFORM, check, deliver, errors

from tasks.content import check_workshop, read_catalog

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

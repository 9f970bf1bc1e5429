from __future__ import annotations

from pathlib import Path

import pytest

from models.backend_list import ListedBackend, parse_backends

TWO = """\
backends:
  - name: be2.local
    number: 2
    hub_url: https://be2.local:8010/
    hub_api_url: https://be2.local:8010
    machine: wodmgr@be2.local
    seats: 20
    homes: /student
    isolation: accounts
    uid_base: 2000
    seat_agent: /usr/local/lib/wod/seat-agent
  - {name: be1.local, number: 1, hub_url: "http://a", hub_api_url: "http://b", seats: 5}
"""


def test_a_list_is_read_whole_and_ordered_by_number() -> None:
    listed, problems = parse_backends(TWO, "backends.yaml")
    assert problems == []
    first, second = listed
    assert (first.name, first.machine, first.homes, first.seat_agent) == ("be1.local", "local", None, None)
    assert (second.hub_url, second.homes, second.uid_base) == ("https://be2.local:8010", Path("/student"), 2000)


def test_the_example_in_the_documents_names_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs/seats.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    [backend], problems = parse_backends(text, "docs/seats.md")
    assert problems == []
    assert backend.model_fields_set == set(ListedBackend.model_fields)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("number: 2", "number: 0"), [(3, 13, "number")]),
        (("number: 2", "number: two"), [(3, 13, "number")]),
        (("number: 2", "number: 1"), [(3, 13, "number"), (12, 31, "number")]),
        (("name: be2.local", "name: be1.local"), [(2, 11, "name"), (12, 12, "name")]),
        (("name: be2.local", "name: be 2"), [(2, 11, "name")]),
        (("name: be2.local", "name: ''"), [(2, 11, "name")]),
        (("https://be2.local:8010/", "be2.local:8010"), [(4, 14, "hub_url")]),
        (("https://be2.local:8010/", "https://be2.local:99999"), [(4, 14, "hub_url")]),
        (("https://be2.local:8010/", "https://user:pw@be2.local"), [(4, 14, "hub_url")]),
        (
            ("api_url: https://be2.local:8010", "api_url: http://b"),
            [(5, 18, "hub_api_url"), (12, 68, "hub_api_url")],
        ),
        (("wodmgr@be2.local", "be2.local"), [(6, 14, "machine")]),
        (("wodmgr@be2.local", "wodmgr@be2.local:0"), [(6, 14, "machine")]),
        (("wodmgr@be2.local", "local"), [(6, 14, "machine"), (12, 5, "machine")]),
        (("seats: 20", "seats: 0"), [(7, 12, "seats")]),
        (("seats: 20", "seats: many"), [(7, 12, "seats")]),
        (("    seats: 20\n", ""), [(2, 5, "seats")]),
        (("homes: /student", "homes: student"), [(8, 12, "homes")]),
        (("    homes: /student\n", ""), [(2, 5, "homes")]),
        (("isolation: accounts", "isolation: none"), [(9, 16, "isolation")]),
        (("uid_base: 2000", "uid_base: 0"), [(10, 15, "uid_base")]),
        (("uid_base: 2000", "uidbase: 2000"), [(10, 5, "uidbase")]),
        (("seat_agent: /usr", "seat_agent: usr"), [(11, 17, "seat_agent")]),
        (("backends:", "backend:"), [(1, 1, "backend"), (1, 1, "backends")]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: tuple[str, str], found: list[tuple[int, int, str]]) -> None:
    text = TWO.replace(*change, 1)
    assert text != TWO
    listed, problems = parse_backends(text, "backends.yaml")
    assert listed == ()
    assert [(each.line, each.column, each.field) for each in problems] == found
    assert all(str(each).startswith("backends.yaml:") for each in problems)


def test_all_problems_are_told_at_once() -> None:
    text = TWO.replace("number: 2", "number: x").replace("seats: 20", "seats: x").replace("seats: 5", "sets: 5")
    _, problems = parse_backends(text, "backends.yaml")
    assert [each.field for each in problems] == ["number", "seats", "seats", "sets"]
    assert "Did you mean `seats`?" in problems[-1].remedy


@pytest.mark.parametrize(
    "text", ["", "- name: be1\n", "backends: []\n", "backends: 3\n", "backends: [\n", "backends:\n  - 1\n"]
)
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    listed, problems = parse_backends(text, "backends.yaml")
    assert listed == ()
    assert problems

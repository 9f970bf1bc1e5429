from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Problem, Severity
from models.manifest import FIELDS, WorkshopManifest, parse_manifest
from models.yaml_text import load_mapping

WHOLE = """%YAML 1.1
# Meta data
---
name: 'Git \u2013 a  beginning'
description: "It's about git: commits, branches"
active: true
capacity: 20
priority: 1
range: [1,6]
reset: false
ldap: false
replayId: 9
varpass: false
compile: false
monoappliance: true
multiappliance: false
workshopImg: 'https://example.org/a.jpg'
badgeImg: WOD-Badge-GIT101
beta: false
category: ['Open Source']
duration: 2
presenter: 'Ada  Lovelace'
role: 'Mathematician'
avatar: '/img/wod/Ada.png'
replayLink: 'https://youtu.be/abc'"""

SHORT = "name: x\ndescription: d\nactive: true\ncapacity: 2\nrange: [1,2]\nduration: 2\n"


def read(text: str) -> WorkshopManifest:
    manifest, problems = parse_manifest(text, "wod.yml")
    assert manifest is not None, problems
    return manifest


def errors(text: str) -> list[Problem]:
    manifest, problems = parse_manifest(text, "wod.yml")
    found = [problem for problem in problems if problem.severity is Severity.ERROR]
    assert (manifest is None) == bool(found)
    assert all(problem.message and problem.remedy for problem in problems)
    return found


def test_every_field_is_read() -> None:
    manifest, problems = parse_manifest(WHOLE, "wod.yml")

    assert problems == []
    assert manifest is not None
    assert len(FIELDS) == 22
    assert manifest.model_dump() == {
        "title": "Git \u2013 a beginning",
        "description": "It's about git: commits, branches",
        "active": True,
        "capacity": 20,
        "priority": 1,
        "seat_range": (1, 6),
        "needs_reset": False,
        "ldap": False,
        "varies_password": False,
        "one_appliance": True,
        "appliance_per_seat": False,
        "compiled_scripts": (),
        "beta": False,
        "category": ("Open Source",),
        "duration_hours": 2.0,
        "presenter": "Ada Lovelace",
        "presenter_role": "Mathematician",
        "avatar": "/img/wod/Ada.png",
        "image": "https://example.org/a.jpg",
        "badge_image": "WOD-Badge-GIT101",
        "replay_id": 9,
        "replay_link": "https://youtu.be/abc",
    }
    assert manifest.places["range"] == (9, 8)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "  \t\n"),
        lambda text: text.replace(": ", ":\t"),
        lambda text: text.replace("---\n", ""),
        lambda text: text.replace("%YAML 1.1", "%YAML 1.2"),
        lambda text: text + "\n\n---\nname: another document\n",
        lambda text: "\n\n" + text.replace("%YAML 1.1\n", ""),
    ],
    ids=["bom", "crlf", "trailing", "tabs", "no ---", "1.2", "two documents", "blank lines"],
)
def test_the_same_manifest_written_carelessly(disguise) -> None:
    assert read(disguise(WHOLE)).model_dump() == read(WHOLE).model_dump()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("active: yes", "active", True),
        ("active: 'No'", "active", False),
        ("active: TRUE", "active", True),
        ("reset: 'off'", "needs_reset", False),
        ("capacity: '20'", "capacity", 20),
        ("capacity: 20.0", "capacity", 20),
        ("capacity: 0", "capacity", 0),
        ("range: [3, 7]", "seat_range", (3, 7)),
        ("range: ['3', '7']", "seat_range", (3, 7)),
        ("range: 3-7", "seat_range", (3, 7)),
        ("range: 3..7", "seat_range", (3, 7)),
        ("range: '3, 7'", "seat_range", (3, 7)),
        ("range: '[3,7]'", "seat_range", (3, 7)),
        ("range: 5", "seat_range", (5, 5)),
        ("range: [7, 3]", "seat_range", (3, 7)),
        ("range:\n  - 3\n  - 7", "seat_range", (3, 7)),
        ("compile: false", "compiled_scripts", ()),
        ("compile: 'get-a.sh,setup-b.sh'", "compiled_scripts", ("get-a.sh", "setup-b.sh")),
        ("compile: [get-a.sh, setup-b.sh]", "compiled_scripts", ("get-a.sh", "setup-b.sh")),
        ("compile:", "compiled_scripts", ()),
        ("category: Open Source", "category", ("Open Source",)),
        ("category: [A, B, A]", "category", ("A", "B")),
        ("category: A, B", "category", ("A", "B")),
        ("duration: '2'", "duration_hours", 2.0),
        ("duration: 1.5", "duration_hours", 1.5),
        ("duration: 2 hours", "duration_hours", 2.0),
        ("replayId: tbd", "replay_id", 0),
        ("replayLink: tbd", "replay_link", ""),
        ("replayLink: '???'", "replay_link", ""),
        ("replayLink: 'https://youtu.be/'", "replay_link", ""),
        ("replayLink: youtu.be/abc", "replay_link", "https://youtu.be/abc"),
        ("workshopImg: '???'", "image", ""),
        ("workshopImg: TBD", "image", ""),
        ("badgeImg: WOD-Badge-API101", "badge_image", "WOD-Badge-API101"),
        ("badgeImg: https://example.org/b.png", "badge_image", "https://example.org/b.png"),
        ("presenter: 007", "presenter", "007"),
        ("presenter: yes", "presenter", "yes"),
        ("presenter: 2026-01-01", "presenter", "2026-01-01"),
        ("presenter: !!python/name:os.system x", "presenter", "x"),
        ("presenter:", "presenter", ""),
        ("Presenter: x", "presenter", "x"),
        ("replay_link: https://example.org/x", "replay_link", "https://example.org/x"),
    ],
)
def test_what_is_clear_is_understood(line: str, field: str, value: object) -> None:
    key = line.split(":")[0]
    rest = "".join(kept + "\n" for kept in SHORT.splitlines() if kept.split(":")[0] != key)

    assert getattr(read(rest + line + "\n"), field) == value


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("name: <b>bold</b>", (1, 7), "markup"),
        ("name: ''", (1, 7), "empty"),
        ("name: [a, b]", (1, 7), "not text"),
        ('name: "a\\u0000b"', (1, 7), "control character"),
        (f"name: {'x' * 300}", (1, 7), "300 characters"),
        ("active: maybe", (1, 9), "neither true nor false"),
        ("active: [true]", (1, 9), "neither true nor false"),
        ("capacity: lots", (1, 11), "not a whole number"),
        ("capacity: 1.5", (1, 11), "not a whole number"),
        ("capacity: 99999999999", (1, 11), "larger"),
        ("range: [1]x", (1, 11), "Not valid YAML"),
        ("range: [1, 2, 3]", (1, 8), "not a range"),
        ("range: [a, b]", (1, 8), "not a range"),
        ("range: {first: 1}", (1, 8), "not a range"),
        ("duration: 0", (1, 11), "not a number of hours"),
        ("duration: -1", (1, 11), "not a number of hours"),
        ("duration: long", (1, 11), "not a number of hours"),
        ("replayLink: javascript:alert(1)", (1, 13), "not an address"),
        ("replayLink: 'https://example.org/\"onload=x'", (1, 13), "not an address"),
        ("avatar: ../../etc/passwd", (1, 9), "not a picture"),
        ("workshopImg: 'data:text/html,x'", (1, 14), "not a picture"),
        ("compile: ../../bin/sh", (1, 10), "not the name of a file"),
        ("compile: [a.sh, /etc/x]", (1, 10), "not the name of a file"),
        ("presenter: {a: b}", (1, 12), "not text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(line: str, place: tuple[int, int], message: str) -> None:
    key = line.split(":")[0]
    rest = "".join(kept + "\n" for kept in SHORT.splitlines() if kept.split(":")[0] != key)
    found = errors(line + "\n" + rest)

    assert [(problem.line, problem.column) for problem in found] == [place]
    assert message in found[0].message


def test_all_problems_are_told_at_once() -> None:
    _, problems = parse_manifest("active: maybe\ncapcity: 3\ncapacity: x\nrange: y\ncategory: A\n", "w/wod.yml")

    assert [(problem.severity, problem.line, problem.field) for problem in problems] == [
        ("warning", 1, "description"),
        ("warning", 1, "duration"),
        ("error", 1, "name"),
        ("error", 1, "active"),
        ("warning", 2, "capcity"),
        ("error", 3, "capacity"),
        ("error", 4, "range"),
    ]
    assert "Did you mean `capacity`?" in problems[4].remedy
    assert str(problems[3]).startswith("w/wod.yml:1:9: error: `active` is 'maybe'")


def test_a_field_given_twice_must_agree() -> None:
    assert read(SHORT + "name: x\n").title == "x"
    (problem,) = errors(SHORT + "name: y\n")
    assert (problem.line, problem.column) == (7, 1)
    assert "line 1" in problem.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: Docker: an introduction", (1, 13)),
        ("name: 'it's'", (1, 11)),
        ("name: x\n bad\n  worse: y", (3, 8)),
        ("name: 'x", (1, 9)),
        ("name: *nobody", (1, 7)),
        ("name: x\x00", (1, 8)),
        ("- a\n- b", (1, 1)),
        ("just text", (1, 1)),
        ("", (1, 1)),
        ("[" * 100_000, (1, 21)),
        ("{a: " * 1000, (1, 78)),
    ],
)
def test_broken_yaml_has_a_place(text: str, place: tuple[int, int]) -> None:
    (problem,) = errors(text)

    assert (problem.line, problem.column) == place


def test_a_yaml_bomb_stays_small() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 30):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"

    (problem,) = errors(bomb + "name: *a29\n")

    assert (problem.field, problem.message) == ("name", "`name` is not text.")


def test_a_huge_file_is_refused() -> None:
    (problem,) = errors("# " + "x" * 300_000)

    assert "262144 are allowed" in problem.message


@given(st.text(max_size=300) | st.text("name: [range]'\"#-\n\t&*!|>%{},x1", max_size=300))
def test_no_text_raises(text: str) -> None:
    manifest, problems = parse_manifest(text, "wod.yml")

    assert manifest is not None or problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# none yet\n", {}),
        ("%YAML 1.1\n---\nA: 1\nIP-WKSHP-X: '10.0.0.1'\n", {"A": 1, "IP-WKSHP-X": "10.0.0.1"}),
        ("WKSHP-X:\n  KEY: [a, b]\n", {"WKSHP-X": {"KEY": ["a", "b"]}}),
    ],
)
def test_variables_are_plain_values(text: str, value: object) -> None:
    assert load_mapping(text, "v.yml") == (value, [])


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x\n", "a: 1\na: 2\n", "a: !!python/object:os.system x\n", "a: [", "- a\n", "a: b: c"]
)
def test_variables_that_are_not_plain_are_refused(text: str) -> None:
    values, (problem,) = load_mapping(text, "v.yml")

    assert values == {}
    assert problem.line >= 1
    assert problem.remedy

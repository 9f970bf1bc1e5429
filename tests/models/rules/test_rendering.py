from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import Problem
from models.rules.rendering import compile_notebook, compile_text, is_rendered

CONTENT = Path(__file__).parents[4] / "shared" / "wod-notebooks"
NOTEBOOKS = sorted(CONTENT.glob("*/*.ipynb")) or [None]

# What the real notebooks name, with values that need no escape in JSON.
HOST = {"IP-WKSHP-Ansible101": "10.0.0.1", "IP-WKSHP-Docker101": "10.0.0.2", "HTTPPORT-WKSHP-Ansible101": 16051}
KNOWN: dict[str, Any] = {
    "BRANDINGWOD": "Workshops", "BRANDING": "ACME", "BRANDINGURL": "https://example.org", "BRANDINGLOGO": "logo",
    "SURVEYURL": "s", "SURVEYCHALURL": "c", "WODBEEXTFQDN": "be.example.org", "WODBEFQDN": "be1",
    "STDID": 7, "PASSSTU": "pw", "HTTPPORT": 16057, "SPARKPORT": 17107, "SPARKTOK": "t",
    "inventory_hostname": "be1", "hostvars": {"be1": HOST},
}  # fmt: skip


def cell(source: str | list[str], kind: str = "markdown") -> dict[str, Any]:
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, **code, "source": source}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def render(content: dict[str, Any], **variables: Any) -> tuple[dict[str, Any], list[Problem]]:
    template, problems = compile_notebook(json.dumps(content, indent=1), content, "n.ipynb")
    return template.render({**KNOWN, **variables}) if template else ({}, problems)


def rendered(source: str, **variables: Any) -> str:
    content, problems = render(notebook(cell(source)), **variables)
    assert problems == []
    return str(content["cells"][0]["source"])


@pytest.mark.parametrize(
    ("path", "is_template"),
    [
        ("a.ipynb", True),
        ("Data/a.yaml", True),
        ("a.py", True),
        ("deep/er/a.sh", True),
        ("a.src", True),
        ("main.tf", True),
        ("Data/env.env", True),
        (".env", True),
        ("Variables.ps1", True),
        ("sub/Variables.ps1", True),
        ("Other.ps1", False),
        ("a.yml", False),
        ("a.j2", False),
        ("README.md", False),
        ("a.json", False),
        ("a-checkpoint.ipynb", False),
        ("Pictures/a.png", False),
        ("a.IPYNB", False),
    ],
)
def test_is_rendered(path: str, is_template: bool) -> None:
    assert is_rendered(path) is is_template


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ BRANDING }}!", "ACME!"),
        ("{{hostvars[inventory_hostname]['IP-WKSHP-Docker101']}}", "10.0.0.2"),
        ("{{ '{{' }} item {{ '}}' }} {{ '{%' }} {{ '%}' }} {{ '{#' }} {{ '#}' }}", "{{ item }} {% %} {# #}"),
        ("{% raw %}{{ item }}{% endraw %}", "{{ item }}"),
        ("a\n{% if MODEWS == 'CHLG' %}\nb\n{% endif %}\nc", "a\n\nb\n\nc"),
        ("{% if MODEWS == 'WKSHP' %}Workshop{% else %}Challenge{% endif %}", "Challenge"),
        ("{# a comment #}x", "x"),
        ('{{ "a\\"b" }}', 'a"b'),
        ('{{ NOTHING | default("none") }}{% if NOTHING is defined %}x{% endif %}', "none"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        ("{% set port = STDID + 100 %}{{ port ~ '/' ~ BRANDING|lower }}", "107/acme"),
        ("{{ NONE }}", ""),
        ("{{ SURVEYURL.upper() }}", "S"),
        ("windows\r\n{{ STDID }}\rmac", "windows\r\n7\rmac"),
        ("{{\r\nSTDID\r\n}}", "7"),
        ("no newline at the end\n", "no newline at the end\n"),
    ],
)
def test_what_templates_can_do(source: str, text: str) -> None:
    assert rendered(source, MODEWS="CHLG", NONE=None) == text


def test_a_text_file_loses_the_line_of_a_block_and_keeps_its_end() -> None:
    template, problems = compile_text("a\n{% if STDID %}\nb {{ STDID }}\n{% endif %}\nc\n", "a.sh")
    assert problems == []
    assert template is not None
    assert template.render(KNOWN) == ("a\nb 7\nc\n", [])


@pytest.mark.parametrize(
    ("mode", "sources"), [("CHLG", ["one\n", "two", "four"]), ("WKSHP", ["one\nthree", "four"])]
)
def test_a_condition_may_begin_in_one_cell_and_end_in_another(mode: str, sources: list[str]) -> None:
    content = notebook(
        cell("one\n{% if MODEWS == 'CHLG' %}"),
        cell("two", "code"),
        cell("{% else %}three"),
        cell("{% endif %}four"),
    )

    found, problems = render(content, MODEWS=mode)

    assert problems == []
    assert [each["source"] for each in found["cells"]] == sources
    nbformat.validate(found)


def test_outputs_metadata_and_attachments_are_rendered_too() -> None:
    code = cell("x", "code")
    code["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["a {{ STDID }}\n", "b"]},
        {"output_type": "display_data", "data": {"text/html": ["<b>{{ STDID }}</b>\n", "x"]}, "metadata": {}},
    ]
    code["metadata"] = {"tags": ["a {{ STDID }}", "b"], "plain": "{ }"}

    found, problems = render(notebook(code))

    assert problems == []
    assert found["cells"][0]["outputs"][0]["text"] == ["a 7\n", "b"]
    assert found["cells"][0]["outputs"][1]["data"] == {"text/html": ["<b>7</b>\n", "x"]}
    assert found["cells"][0]["metadata"] == {"tags": ["a 7", "b"], "plain": "{ }"}


def test_all_unknown_variables_are_named_with_their_lines() -> None:
    content = notebook(
        cell(["# {{ TITLE }}\n", "{% if MODEWS == 'CHLG' %}{{ IN_CHALLENGE }}{% endif %}\n", "{{ TITLE }}"]),
        cell(["{{ hostvars[inventory_hostname]['IP-WKSHP-X'] }}\n", "{{ hostvars['no'].x }} {{ A.b.c }}"], "code"),
    )

    _, problems = render(content, MODEWS="WKSHP")

    lines = json.dumps(content, indent=1).splitlines()
    assert [(problem.field, problem.line) for problem in problems] == [
        ("TITLE", 1 + lines.index('    "# {{ TITLE }}\\n",')),
        ("IP-WKSHP-X", 1 + next(n for n, line in enumerate(lines) if "IP-WKSHP-X" in line)),
        ("no", 1 + next(n for n, line in enumerate(lines) if "['no']" in line)),
        ("A", 1 + next(n for n, line in enumerate(lines) if "A.b.c" in line)),
    ]
    for problem in problems:
        assert lines[problem.line - 1][problem.column - 1 :].startswith(problem.field)
    also = 1 + lines.index('    "{{ TITLE }}"')
    assert problems[0].message == f"The variable TITLE is not known. It is in cell 1; also on line {also}."


def test_lines_of_a_text_file() -> None:
    template, _ = compile_text("#!/bin/sh\necho {{ A }}\necho {{ B }} {{ A }}\n", "lab/a.sh")
    assert template is not None
    _, problems = template.render({})
    assert [str(problem).split(" It")[0] for problem in problems] == [
        "lab/a.sh:2:9: error: The variable A is not known.",
        "lab/a.sh:3:9: error: The variable B is not known. Correct its name, or have the operator define it in"
        " the variables file.",
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ 1 + }}", "Template syntax"),
        ("{% if x %}", "Template syntax"),
        ("${#array[@]}", "Template syntax: Missing end of comment tag"),
        ("{% include '/etc/passwd' %}", "`include` can't be used"),
        ("{% import 'x' as y %}", "`import` can't be used"),
        ("{% extends 'x' %}", "`extends` can't be used"),
        ("{% macro m() %}x{% endmacro %}", "`macro` can't be used"),
        ("{% set x %}a{% endset %}", "`assignblock` can't be used"),
        ("{{ 2 ** 99999999 }}", "`pow` can't be used"),
        ("{{ x | pprint }}", "The filter `pprint` can't be used"),
        ("{{ x | _counted }}", "The filter `_counted` can't be used"),
        ("{{ 'x' is nonsense }}", "The test `nonsense` can't be used"),
        ("{{ cycler('a') }}", "This call can't be used"),
        ("{{ 'x'.format(1) }}", "This call can't be used"),
        ("{{ ''.__class__.__mro__ }}", "`__class__` can't be reached"),
        ("{{ ''['__class__'] }}", "`__class__` can't be reached"),
        ("{{ range(10**9) }}", "`pow` can't be used"),
        ("{% for i in range(1000000000) %}x{% endfor %}", "more than 10000 repetitions"),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
            "more than 10000 repetitions",
        ),
        ("{% for c in 'x' * 20000 %}{{ c }}{% endfor %}", "more than 10000 repetitions"),
        ("{{ 'x' * 1000000000 }}", "more than 200000 characters"),
        ("{{ 1000000000 * [1] }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}{{ a + a }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}{{ a ~ a }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}{{ [a, a] }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}{{ [a, a]|join }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}{{ a|replace('x', a) }}", "more than 200000 characters"),
        ("{% set a = 'x' * 150000 %}" + "{{ a }}" * 200, "more than 20000000 characters of output"),
        (
            "{% set a = 'x' * 150000 %}{% for i in range(9999) %}{{ a|upper|length }}{% endfor %}",
            "more than 50000000 characters in its values together",
        ),
        ("{{ '%1000000000d' % 1 }}", "the formatting of text with %"),
        ("{% set a = 9 * 9 %}" + "{% set a = a * a %}" * 40, "more than 77 digits"),
        ("{{ 1 / 0 }}", "The expression fails: ZeroDivisionError"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "too large or nested too deeply"),
        ("{% if x %}" * 300 + "{% endif %}" * 300, "too large or nested too deeply"),
        ("a\x00b", "control character"),
    ],
)
def test_what_templates_can_not_do(source: str, message: str) -> None:
    started = time.process_time()

    _, problems = render(notebook(cell(source)), x=True)

    assert time.process_time() - started < 5
    assert [message in problem.message for problem in problems] == [True]
    assert all(problem.line == 6 or "deeply" in message for problem in problems)  # that of the source


def test_every_use_of_what_can_not_be_used_is_told() -> None:
    template, problems = compile_text("{{ a|pprint }}\n{% include 'x' %}\n{{ f() }}", "a.sh")
    assert template is None
    assert sorted(problem.line for problem in problems) == [1, 2, 3]


def test_a_loop_over_cells_is_refused() -> None:
    _, problems = render(notebook(cell("{% for i in range(3) %}"), cell("x"), cell("{% endfor %}")))
    assert "A loop that begins in one cell" in problems[0].message


def test_conditions_that_depend_on_the_seat_are_told() -> None:
    fixed, _ = compile_text("{{ STDID }} {{ hostvars[inventory_hostname]['X'] }}", "a.sh")
    depending, _ = compile_text("{% if A %}{{ 1 if STDID > 3 else B }}{% endif %}", "a.sh")
    assert fixed is not None
    assert depending is not None
    assert fixed.template.decided_by == {"inventory_hostname"}
    assert depending.template.decided_by == {"A", "STDID"}


ANYTHING = st.text(st.characters(exclude_categories=()) | st.sampled_from('"\\\n\r{}[],:%#\x00\x1d'), max_size=60)
SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@given(value=ANYTHING, before=st.integers(0, 3), after=st.integers(0, 3), as_list=st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_value_breaks_a_notebook_or_adds_a_cell(value: str, before: int, after: int, as_list: bool) -> None:
    source: str | list[str] = ["a {{ V }} b\n", "{{ V }}"] if as_list else "a {{ V }} b\n{{ V }}"
    content = notebook(*[cell("x")] * before, cell(source, "code"), *[cell("y")] * after)

    found, problems = render(content, V=value)

    assert problems == []
    loaded = json.loads(json.dumps(found, ensure_ascii=False).encode())
    nbformat.validate(loaded)
    shown = SHOWN.sub("", value)
    assert "".join(loaded["cells"][before]["source"]) == f"a {shown} b\n{shown}"
    loaded["cells"][before]["source"] = source
    assert loaded == content


PLAIN = st.text(st.characters(exclude_characters="\x00\x1d", exclude_categories=["Cs"]), max_size=40).filter(
    lambda text: not re.search(r"\{[{%#]", text)
)


@given(st.lists(PLAIN, max_size=5))
@settings(max_examples=200, deadline=None)
def test_text_without_templates_is_left_alone(sources: list[str]) -> None:
    content = notebook(*(cell(source) for source in sources))
    if re.search(r"\{[{%#]", "".join(sources)):
        return
    assert render(content) == (content, [])


PIECES = st.sampled_from(
    [
        "{{ A }}",
        "{{ V }}",
        "{% if A %}",
        "{% else %}",
        "{% endif %}",
        "{% for i in V %}",
        "{% endfor %}",
        "{% raw %}",
        "{% endraw %}",
        "{#",
        "#}",
        "{{ '\\0' }}",
        "{{ '\\x002\\n\\0' }}",
        "{{ V * 3 }}",
        "{{ V ~ V }}",
        "\\",
        '"',
        "}}",
        "{{",
        "-%}",
        "{%- if V %}",
        "text",
        "\n",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=5).map("".join), min_size=1, max_size=5), ANYTHING)
@settings(max_examples=400, deadline=None)
def test_no_template_breaks_a_notebook_or_adds_a_cell(sources: list[str], value: str) -> None:
    content = notebook(*(cell(source) for source in sources))

    found, problems = render(content, V=value, A=True)

    if not problems:
        nbformat.validate(json.loads(json.dumps(found)))
        assert len(found["cells"]) <= len(sources)


@pytest.mark.parametrize("mode", ["WKSHP", "CHLG"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem if path else "none")
def test_real_notebooks_come_out_as_when_the_file_is_one_template(path: Path | None, mode: str) -> None:
    if path is None:
        pytest.skip(f"There are no published workshops in {CONTENT}.")
    source = path.read_text(encoding="utf-8")
    variables = {**KNOWN, "MODEWS": mode}
    whole = jinja2.Environment(  # noqa: S701
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    expected = json.loads(whole.from_string(source).render(variables))

    template, problems = compile_notebook(source, json.loads(source), path.name)
    assert template is not None, problems
    found, problems = template.render(variables)

    assert problems == []
    for each in (*expected["cells"], *found["cells"]):
        each["source"] = "".join(each["source"])
    assert found == expected

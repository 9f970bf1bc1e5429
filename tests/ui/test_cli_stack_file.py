from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.errors import Refused
from models.stack_manifest import read_stack
from tasks.adapters.machine_agent import REMOVALS
from ui.cli.stack_file import EXAMPLES, app

ROOT = Path(__file__).parents[2]


def test_a_written_stack_is_the_reference(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    answer = CliRunner().invoke(app, ["init", str(file)])
    assert answer.exit_code == 0, answer.output
    assert read_stack(file) == read_stack(EXAMPLES / "reference.yaml")
    named = file.read_text().splitlines()[0].partition("$schema=")[2]
    assert Path(named).read_bytes() == (EXAMPLES / "stack.schema.json").read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["stack.yaml"]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text("mine")
    answer = CliRunner().invoke(app, ["init", str(file)])
    assert isinstance(answer.exception, Refused)
    assert answer.exception.reason == "file_exists"
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_a_stack_is_not_written_into_a_missing_folder(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["init", str(tmp_path / "missing" / "stack.yaml")])
    assert isinstance(answer.exception, Refused)
    assert answer.exception.reason == "file_not_written"


@pytest.mark.parametrize("name", ["reference.yaml", "one-machine.yaml"])
def test_the_examples_are_right(name: str) -> None:
    answer = CliRunner().invoke(app, ["validate", str(EXAMPLES / name), "--json"])
    assert answer.exit_code == 0
    report = json.loads(answer.output)
    assert report["can_be_installed"]
    assert report["problems"] == []
    assert all(roles[0] == "base" for roles in report["machines"].values())


def test_all_problems_are_told(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text((EXAMPLES / "one-machine.yaml").read_text().replace("name: single", "name: '?'\nnmae: x"))
    answer = CliRunner().invoke(app, ["validate", str(file)])
    assert answer.exit_code == 1
    assert [line.split(" ")[0] for line in answer.output.splitlines()] == [f"{file}:5:7:", f"{file}:6:1:"]
    answer = CliRunner().invoke(app, ["validate", str(file), "--json"])
    assert answer.exit_code == 1
    assert [problem["field"] for problem in json.loads(answer.output)["problems"]] == ["name", "nmae"]


def test_the_shipped_schema_is_that_of_the_manifest() -> None:
    assert CliRunner().invoke(app, ["schema"]).output == (EXAMPLES / "stack.schema.json").read_text()


def test_the_reference_in_the_documents_is_that_of_the_manifest() -> None:
    page = (ROOT / "docs" / "stack.md").read_text()
    assert page.endswith(CliRunner().invoke(app, ["schema", "--markdown"]).output)


def test_the_list_of_what_is_done_to_machines_is_that_of_the_roles() -> None:
    page = (ROOT / "docs" / "machines.md").read_text()
    assert page.endswith(CliRunner().invoke(app, ["machines", "--markdown"]).output)
    told = page.partition("| kind | what becomes of it |\n|---|---|\n")[2].partition("\n\n")[0]
    kinds = {kind for line in told.splitlines() for kind in line.split("|")[1].strip().split(", ")}
    assert kinds == set(REMOVALS)


def test_what_is_done_is_told_for_a_stack_of_ones_own() -> None:
    answer = CliRunner().invoke(app, ["machines", str(EXAMPLES / "one-machine.yaml")])
    assert answer.exit_code == 0, answer.output
    roles = [line for line in answer.output.splitlines() if not line.startswith(" ")]
    assert {"wod.local: base", "wod.local: backend", "wod.local: api-db"} <= set(roles)


def test_checking_a_stack_is_quick() -> None:
    program = (
        "import sys; from ui.cli.main import app;"
        f"app(['stack', 'validate', {str(EXAMPLES / 'reference.yaml')!r}], standalone_mode=False);"
        "print({'prefect', 'sqlalchemy', 'asyncssh', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "set()"

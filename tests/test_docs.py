"""The documents say what is so: commands, fields, files and links are held against the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from models.manifest import FIELDS
from models.rules.booking import BookingState
from models.rules.rendering import is_rendered
from models.rules.variables import booking_variables, platform_variables
from models.settings import Settings
from ui.cli.main import COMMANDS, app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Commands of the script itself, beside those of the wod command.
SCRIPT_COMMANDS = {"lock"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def has_commands(name: str) -> bool:
    """Return whether a command of `wod` has commands of its own."""
    wod = get_command(app)
    assert isinstance(wod, TyperGroup)
    with typer.Context(wod) as context:
        return isinstance(wod.resolve_command(context, [name])[1], TyperGroup)


GROUPS = {name for name in COMMANDS if has_commands(name)}


def commands() -> set[tuple[str, ...]]:
    found = set()
    for document in DOCUMENTS:
        for command in re.findall(r"(?:\./)?\bwod ((?:[a-z]+ ?)+)", document.read_text()):
            words = command.split()
            if words[0] in COMMANDS or f"./wod {words[0]}" in document.read_text():
                found.add(tuple(words[:2]) if words[0] in GROUPS else (words[0],))
    return found


def test_the_documents_name_every_command():
    named = {words[0] for words in commands()}
    assert set(COMMANDS) - named <= {"book", "settings"}


@pytest.mark.parametrize("words", sorted(commands()))
def test_commands_in_the_documents_exist(words):
    if words[0] in SCRIPT_COMMANDS:
        assert words[0] in text_of("wod")
        return
    done = subprocess.run([sys.executable, "-m", "ui.cli.main", *words, "--help"], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+?)\)", document.read_text())
    missing = [each for each in targets if "://" not in each and not (document.parent / each).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_in_the_documents_exist(document):
    known = {f"WOD_{name.upper()}" for name in Settings.model_fields}
    known |= {"WOD_STATE", "WOD_SECRETS_DIR", "WOD_HOME", "WOD_PLATFORM", "WOD_TEST_MACHINE_BASES"}
    assert set(re.findall(r"\bWOD_[A-Z_]+\b", document.read_text())) <= known


def test_the_fields_of_wod_yml():
    table = text_of("docs/workshops.md").partition("## wod.yml")[2].partition("## Templates")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(FIELDS)


def test_the_rendered_files():
    (names,) = re.findall(r"Files named `([^`]+)` are rendered", text_of("docs/workshops.md"))
    assert all(is_rendered(name.replace("*", "some/file")) for name in names.split())
    assert not any(is_rendered(name) for name in ("notes.md", "play.yml", "list.json", "template.j2"))


def test_the_variables():
    known = booking_variables(platform_variables(Settings(), "be1", "be1", {}), "WKSHP-A", 1, 1, "x")
    table = text_of("docs/workshops.md").partition("| variable | is |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([A-Z]+)`", cell)}
    assert named - {"HTTPPORT", "SSHPORT"} == set(known) - {"hostvars", "inventory_hostname", "DIR"}


def test_the_states_of_a_booking():
    drawing = (
        text_of("docs/architecture.md").partition("## The life of a booking")[2].partition("A state moves")[0]
    )
    assert all(state in drawing for state in BookingState)

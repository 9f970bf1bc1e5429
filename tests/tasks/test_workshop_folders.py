"""Folders of workshops travel whole, and those that can't are told before anything is changed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from models.errors import Refused
from models.stack_manifest import StackManifest, read_stack
from tasks.workshop_folders import pack_workshops
from ui.cli.stack_file import EXAMPLES

REPOSITORY = "https://git.example.org/workshops.git"


def stack_with(*workshops: str | Path) -> StackManifest:
    stack = read_stack(EXAMPLES / "reference.yaml")
    return stack.model_copy(update={"workshops": tuple(map(str, workshops))})


def test_folders_are_packed_and_repositories_are_not(tmp_path):
    for path in ("WKSHP-A/wod.yml", "WKSHP-A/0-ReadMeFirst.ipynb", ".git/config", "WKSHP-A/.gitignore"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    packed = pack_workshops(stack_with(tmp_path, REPOSITORY))
    assert list(packed) == [str(tmp_path)]
    with tarfile.open(fileobj=io.BytesIO(packed[str(tmp_path)])) as tar:
        assert tar.getnames() == ["WKSHP-A/.gitignore", "WKSHP-A/0-ReadMeFirst.ipynb", "WKSHP-A/wod.yml"]
    (tmp_path / "WKSHP-A/wod.yml").touch()
    assert pack_workshops(stack_with(tmp_path)) == packed


def test_all_that_can_not_be_offered_is_told(tmp_path):
    for name in ("a/labs", "b/labs"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(Refused) as refused:
        pack_workshops(stack_with(tmp_path / "a/labs", tmp_path / "b/labs", tmp_path / "none", REPOSITORY))
    assert refused.value.reason == "workshops_wrong"
    assert refused.value.message.splitlines() == [
        f"`workshops`: {tmp_path}/none is neither a folder here nor the address of a git repository.",
        "`workshops`: Several folders are called labs: rename them.",
    ]

"""The sample workshops: delivered as a student gets them, then worked through from the first cell to the last."""

from __future__ import annotations

import ast
import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from models.rules.rendering import is_rendered
from models.rules.variables import booking_variables, platform_variables
from models.settings import Settings
from tasks.content import WorkshopFolder, WorkshopReport, check_workshop, render_workshop, take_snapshot

ROOT = Path(__file__).parents[1]
WORKSHOPS = ROOT / "deployments" / "workshops"
KEYS = ("WKSHP-Git-Basics", "WKSHP-Python-First-Steps", "WKSHP-Write-a-Workshop")
HUB_PYTHON = ROOT / ".wod" / "hub-env" / "bin" / "python"
SEATS = 100
NOTEBOOKS = [
    pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in sorted(WORKSHOPS.glob("*/*.ipynb"))
]
MADE_BY_LABS = {"lab-2/picnic/plan.txt"}
PLATFORM = platform_variables(Settings(), "localhost", "127.0.0.1", {})

SOLVED, OPEN = "✔", "✘"

# Runs each notebook of the folder argv[1] in a kernel of its own, argv[2] times, and prints all outputs. The
# conclusion looks back at the labs, so it comes after them.
RUN = """
import asyncio, json, sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient

seen = []
kernels = asyncio.Semaphore(3)

async def run(path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=60, allow_errors=True, shutdown_kernel="immediate")
    client.resources = {"metadata": {"path": path.parent}}
    async with kernels, client.async_setup_kernel():
        for turn in range(int(sys.argv[2])):
            for index, cell in enumerate(notebook.cells):
                await client.async_execute_cell(cell, index)
                if cell.cell_type == "code":
                    seen.append([path.name, turn, cell.id, cell.metadata.get("tags", []), cell.outputs])
    nbformat.write(notebook, path)

async def main():
    *labs, conclusion = sorted(Path(sys.argv[1]).glob("*.ipynb"))
    await asyncio.gather(*map(run, labs))
    await run(conclusion)

asyncio.run(main())
print(json.dumps(seen))
"""


def report_on(folder: Path) -> WorkshopReport:
    return check_workshop(WorkshopFolder(folder.name, folder), [SEATS], PLATFORM)


def deliver(key: str, home: Path, mode: str = "WKSHP", seat: int = 0) -> Path:
    """Put the workshop into `home` as the platform does, for the first seat of its range or `seat`."""
    report = report_on(WORKSHOPS / key)
    assert report.offer is not None
    snapshot = home / "snapshots" / take_snapshot(report, home / "snapshots")
    booked = key.replace("WKSHP", mode, 1)
    first = report.offer.first
    variables = booking_variables(PLATFORM, booked, seat or first, first, "Password-1")
    with tarfile.open(fileobj=io.BytesIO(render_workshop(snapshot, key, variables))) as tar:
        tar.extractall(home)  # noqa: S202 - packed by the line above
    return home / key


def solve(folder: Path) -> int:
    """Put each solution that the notebooks show into the exercise before it; return how many there are."""
    count = 0
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        exercise = None
        for cell in notebook.cells:
            tags = cell.metadata.get("tags", [])
            if "exercise" in tags:
                assert exercise is None, f"{path.name}: {exercise.id} has no solution."
                exercise = cell
            elif "solution" in tags:
                shown = re.search(r"```\w+\n(.*?)\n```", cell.source, re.DOTALL)
                assert exercise is not None
                assert shown is not None
                exercise.source, exercise, count = shown[1], None, count + 1
        assert exercise is None, f"{path.name}: {exercise.id} has no solution."
        nbformat.write(notebook, path)
    return count


def work_through(folder: Path, home: Path, turns: int) -> list[tuple[str, int, str, list[str], list[Any]]]:
    """Run all notebooks with the student's kernels and nothing else of this machine's configuration."""
    if not HUB_PYTHON.exists():
        pytest.skip("There is no environment of the hub (.wod/hub-env): ./wod makes it.")
    if shutil.which("git") is None:
        pytest.skip("There is no git on this machine.")
    kernel = home / ".local" / "share" / "jupyter" / "kernels" / "bash"
    kernel.mkdir(parents=True)
    command = [str(HUB_PYTHON), "-m", "bash_kernel", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Bash", "language": "bash", "env": {"PS1": "$"}}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [str(HUB_PYTHON), "-c", RUN, str(folder), str(turns)],
        cwd=home,
        env={"HOME": str(home), "PATH": f"{HUB_PYTHON.parent}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: list[tuple[str, int, str, list[str], list[Any]]] = json.loads(done.stdout)
    return seen


def text_of(outputs: list[Any]) -> str:
    """Return what a person reads of the outputs of a cell."""
    return "".join(
        str(output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", ""))
        for output in outputs
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_platform_finds_nothing_wrong(key: str) -> None:
    assert report_on(WORKSHOPS / key).problems == ()


def test_these_are_all_samples_and_they_share_no_seat() -> None:
    assert {path.name for path in WORKSHOPS.glob("WKSHP-*")} == set(KEYS)
    taken: set[int] = set()
    for key in KEYS:
        offer = report_on(WORKSHOPS / key).offer
        assert offer is not None
        seats = set(range(offer.first, offer.last + 1))
        assert offer.capacity == len(seats)
        assert not seats & taken
        taken |= seats
    assert taken == set(range(1, SEATS + 1))


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_is_published_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert text == nbformat.writes(notebook).rstrip("\n") + "\n"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    kernel = {"python": "python3", "bash": "bash"}[notebook.metadata.language_info.name]
    assert notebook.metadata.kernelspec.name == kernel
    for cell in notebook.cells:
        assert not cell.get("outputs"), cell.id
        assert cell.get("execution_count") is None, cell.id


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_links_and_pictures_of_a_notebook_are_there(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", cell.source) if cell.cell_type == "markdown" else []
        for is_picture, target in links:
            if target.startswith(("https://", "{{")):
                assert not is_picture, f"{target} is fetched from elsewhere."
            elif target not in MADE_BY_LABS:
                assert (path.parent / target).is_file(), target


@pytest.mark.parametrize("key", KEYS)
def test_a_student_needs_the_standard_library_and_ipython_only(key: str, tmp_path: Path) -> None:
    folder = deliver(key, tmp_path)
    own = {path.stem for path in folder.glob("*.py")}
    sources = [(path.name, path.read_text()) for path in folder.glob("*.py")]
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        if notebook.metadata.kernelspec.name == "python3":
            sources += [(path.name, cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    for name, source in sources:
        for node in ast.walk(ast.parse(source)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign = {each.split(".")[0] for each in modules} - sys.stdlib_module_names - own - {"IPython"}
            assert not foreign, name


@pytest.mark.parametrize("key", KEYS)
def test_a_challenge_shows_no_solution(key: str, tmp_path: Path) -> None:
    shown: dict[str, list[str]] = {}
    for mode in ("WKSHP", "CHLG"):
        folder = deliver(key, tmp_path / mode, mode)
        cells = [cell for path in folder.glob("*.ipynb") for cell in nbformat.read(path, as_version=4).cells]
        shown[mode] = [cell.source for cell in cells if "solution" in cell.metadata.get("tags", [])]
    assert all("```" in source for source in shown["WKSHP"])
    assert shown["CHLG"]
    assert not any("```" in source for source in shown["CHLG"])


@pytest.mark.parametrize("key", KEYS)
def test_each_seat_gets_a_copy_of_its_own(key: str, tmp_path: Path) -> None:
    offer = report_on(WORKSHOPS / key).offer
    assert offer is not None
    one, other = (
        (deliver(key, tmp_path / str(seat), seat=seat) / "0-ReadMeFirst.ipynb").read_text()
        for seat in (offer.first, offer.last)
    )
    assert f"seat **{offer.first}**" in one
    assert f"seat **{offer.last}**" in other


def load_module(name: str) -> dict[str, Any]:
    folder = WORKSHOPS / "WKSHP-Write-a-Workshop"
    sys.path.insert(0, str(folder))
    try:
        return runpy.run_path(str(folder / name))
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("toy_template", None)


def test_what_authors_are_taught_is_what_the_platform_does() -> None:
    taught = load_module("workshop_checker.py")
    variables = booking_variables(PLATFORM, "WKSHP-X", 1, 1, "Password-1")
    assert taught["VARIABLES"] - {"HTTPPORT"} == set(variables)
    assert taught["SEATS"] == Settings().seats
    assert all(is_rendered(f"lab{ending}") for ending in taught["RENDERED"])
    assert not any(is_rendered(f"lab{ending}") for ending in (".yml", ".md", ".json", ".j2", ".csv", ".svg"))


def test_the_two_copies_of_the_checks_are_one() -> None:
    one, other = (WORKSHOPS / key / "friendly_check.py" for key in KEYS[1:])
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("key", KEYS)
def test_the_solutions_pass_all_checks_run_after_run(key: str, tmp_path: Path) -> None:
    folder = deliver(key, tmp_path)
    exercises = solve(folder)
    checks = []
    for name, turn, cell, tags, outputs in work_through(folder, tmp_path, turns=2):
        said = text_of(outputs)
        assert not any(output["output_type"] == "error" for output in outputs), f"{name} {turn} {cell}: {said}"
        if "check" in tags:
            assert SOLVED in said, f"{name} {turn} {cell}: {said}"
            assert OPEN not in said, f"{name} {turn} {cell}: {said}"
            checks.append(cell)
    assert exercises > 0
    assert len(checks) == 2 * exercises
    for made_by_the_student in folder.glob("WKSHP-*"):
        if made_by_the_student.is_dir():
            assert report_on(made_by_the_student).problems == ()
    assert (folder / "WKSHP-My-Own").is_dir() == (key == "WKSHP-Write-a-Workshop")


@pytest.mark.integration
@pytest.mark.parametrize("key", KEYS)
def test_unsolved_tasks_stop_nothing_and_say_what_to_do(key: str, tmp_path: Path) -> None:
    folder = deliver(key, tmp_path)
    checks = 0
    for name, _, cell, tags, outputs in work_through(folder, tmp_path, turns=1):
        said = text_of(outputs)
        assert not any(output["output_type"] == "error" for output in outputs), f"{name} {cell}: {said}"
        if "check" in tags:
            assert OPEN in said, f"{name} {cell}: {said}"
            assert SOLVED not in said, f"{name} {cell}: {said}"
            checks += 1
    assert checks > 0

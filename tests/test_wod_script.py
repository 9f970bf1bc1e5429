"""The script ./wod, on copies of the clone, for an account without any rights and a bare environment."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
NOBODY = 65534
# What the command line's help and the installation of the clone need; the whole lock would take long.
FEW_PACKAGES = (
    "annotated-doc",
    "hatchling",
    "markdown-it-py",
    "mdurl",
    "packaging",
    "pathspec",
    "pluggy",
    "pygments",
    "rich",
    "shellingham",
    "trove-classifiers",
    "typer",
    "typing-extensions",
)
LONG_SECONDS = 240


class Clone:
    """A copy of this clone with a short platform lock, and an account to call its ./wod."""

    def __init__(self, folder: Path, home: Path, *, is_unprivileged: bool) -> None:
        self.folder, self.home = folder, home
        listed = [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            "wod",
            "*.py",
            "*.toml",
        ]
        listed += ["README.md", "deployments/locks"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.lock = folder / "deployments/locks/platform.txt"
        self.lock.write_text("".join(entry for entry in entries(self.lock) if name_of(entry) in FEW_PACKAGES))
        self.account: list[str] = []
        if is_unprivileged and os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder, home], check=True)
            self.account = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    def start(self, *arguments: str, script: Path | None = None) -> subprocess.Popen[str]:
        environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        if extra := os.environ.get("UV_CACHE_DIR"):
            environment["UV_CACHE_DIR"] = extra
        return subprocess.Popen(
            [*self.account, str(script or self.folder / "wod"), *arguments],
            env=environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wod(self, *arguments: str, script: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*arguments, script=script)
        output, errors = process.communicate(timeout=LONG_SECONDS)
        return process.returncode, output, errors


def entries(lock: Path) -> list[str]:
    return re.split(r"(?m)^(?=\S)", lock.read_text())[1:]


def name_of(entry: str) -> str:
    return entry.partition("==")[0]


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="wod-test-script-"))
    made.chmod(0o755)
    (made / "home").mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def clone(folder):
    return Clone(folder / "a clone", folder / "home", is_unprivileged=True)


def test_two_at_once_make_the_environments_once(clone):
    both = [clone.start("--help") for _ in range(2)]
    answers = [each.communicate(timeout=LONG_SECONDS) for each in both]

    assert [each.returncode for each in both] == [0, 0], answers
    assert all("Workshops on Demand" in output for output, _ in answers)
    assert sum("another ./wod makes the environments" in errors for _, errors in answers) == 1
    assert sum(errors.count("platform: ") for _, errors in answers) == 1
    owners = {path.stat().st_uid for path in (clone.folder / ".wod").rglob("*") if not path.is_symlink()}
    assert owners == {NOBODY if os.geteuid() == 0 else os.geteuid()}


def test_made_once_it_starts_at_once_from_anywhere(clone, folder):
    link = folder / "link"
    link.symlink_to(clone.folder / "wod")
    clone.wod("--help", script=link)

    begun = time.monotonic()
    status, output, errors = clone.wod("--help", script=link)

    assert (status, errors) == (0, "")
    assert "Workshops on Demand" in output
    assert time.monotonic() - begun < 1.5


def test_a_changed_lock_makes_only_its_own_environment_anew(clone):
    clone.lock.write_text(clone.lock.read_text() + "\n")

    status, _, errors = clone.wod("--help")

    assert status == 0
    assert re.findall(r"(?m)^  (.*): \d+ s$", errors) == ["platform"]


def test_a_start_that_was_killed_is_repaired_by_the_next(clone):
    clone.lock.write_text(clone.lock.read_text() + "\n")
    for moment in ("platform ...", "platform ..."):
        process = clone.start("--help")
        while moment not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.3)  # into the step
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    status, output, errors = clone.wod("--help")

    assert (status, "Workshops on Demand" in output) == (0, True), errors


def test_a_package_that_is_not_the_locked_one_is_refused(clone):
    whole = clone.lock.read_text()
    clone.lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", whole))

    status, _, errors = clone.wod("--help")
    clone.lock.write_text(whole)

    assert status == 1
    assert "platform: failed" in errors
    assert clone.wod("--help")[0] == 0


def test_a_clone_that_can_not_be_written_says_so(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that this account can't write")
    clone = Clone(folder / "closed", folder / "home", is_unprivileged=True)
    clone.folder.chmod(0o555)
    os.chown(clone.folder, 0, 0)

    status, _, errors = clone.wod("--help")

    assert status == 1
    assert "can't write to" in errors
    assert "Use a clone of your own" in errors


def test_root_in_a_closed_clone_keeps_the_environments_where_students_reach_them(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tmp_path.chmod(0o700)
    clone = Clone(tmp_path / "wod", tmp_path, is_unprivileged=False)
    try:
        status, output, errors = clone.wod("--help")

        made = (clone.folder / ".wod").resolve()
        assert (status, "Workshops on Demand" in output) == (0, True), errors
        assert made.parent == Path("/var/lib/wod")
        assert f".wod becomes a link to {made}" in errors
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        subprocess.run([*as_nobody, made / "hub-env/bin/python", "-c", "import jupyterhub"], check=True)
        subprocess.run([*as_nobody, made / "proxy/node", "--version"], check=True, stdout=subprocess.DEVNULL)
        assert clone.wod("--help")[2] == ""
    finally:
        shutil.rmtree((clone.folder / ".wod").resolve(), ignore_errors=True)

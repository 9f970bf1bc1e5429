"""A real platform of those services that need nothing else: database, mailbox, Prefect, proxy."""

import json
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
from pathlib import Path
from secrets import token_hex

import psutil
import psycopg
import pytest
from eventually import until

from deployments.rehearsal.own_platform import free_port_base
from deployments.stack.layout import Layout
from deployments.stack.processes import platform_processes

pytestmark = pytest.mark.integration

WOD = [sys.executable, "-m", "ui.cli.main"]
QUICK = ("mailbox", "proxy")
STORING = ("database", "mailbox", "prefect", "proxy")


class StartedPlatform:
    """A platform in a state folder of its own, driven by the command line."""

    def __init__(self, state: Path, only: tuple[str, ...], **settings: str) -> None:
        self.layout = Layout(state=state, home=state, source=state)
        self.only = [part for name in only for part in ("--only", name)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WOD_")}
        self.environment = {**kept, "WOD_STATE": str(state), "WOD_PORT_BASE": str(free_port_base()), **settings}
        self.port_base = int(self.environment["WOD_PORT_BASE"])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*WOD, *arguments], env=self.environment, capture_output=True, text=True, timeout=150, check=False
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", *self.only)

    def status(self) -> dict[str, dict]:
        answer = json.loads(self.run("status", "--json").stdout)
        return {each["name"]: each for each in answer["services"]}

    def process(self, service: str) -> psutil.Process:
        """Return the process that a service is, by what its supervisor started."""
        names = {"database": "postgres", "mailbox": "aiosmtpd", "proxy": "configurable-http-proxy"}
        return next(
            each
            for each in platform_processes(self.layout)
            if names.get(service, service) in " ".join(each.cmdline()[:4]) and each.ppid() == self.supervisor.pid
        )

    @property
    def supervisor(self) -> psutil.Process:
        return psutil.Process(int((self.layout.run / "supervisord.pid").read_text()))


@pytest.fixture
def state():
    """Yield a state folder that the accounts of services can reach, as pytest's own can't be."""
    folder = Path(tempfile.mkdtemp(prefix="wod-test-stack-"))
    folder.chmod(0o755)
    yield folder / "state"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def platform(state):
    """Return a function that makes a platform; all are purged in the end."""
    made = []

    def make(only=QUICK, folder=state, **settings):
        made.append(StartedPlatform(folder, only, **settings))
        return made[-1]

    yield make
    for each in made:
        each.run("down", "--purge", "--yes")
        assert platform_processes(each.layout) == []


def test_the_life_of_a_platform(platform):
    stack = platform(STORING)
    first = stack.up()
    assert first.returncode == 0, first.stderr
    assert f"http://127.0.0.1:{stack.port_base + 3}" in first.stdout
    assert {name: each["ready"] for name, each in stack.status().items()} == dict.fromkeys(STORING, True)

    again = stack.up()
    assert (again.returncode, "already up" in again.stdout) == (0, True)

    check_nothing_shows_a_secret(stack)
    check_rights(stack)
    check_mail_is_kept(stack)

    stack.process("mailbox").kill()
    until(
        lambda: stack.status()["mailbox"]["restarts"] == 1 and stack.status()["mailbox"]["ready"],
        "the mailbox is started again",
    )

    stack.process("proxy").suspend()
    degraded = stack.run("status")
    assert (degraded.returncode, "is stopped by a signal" in degraded.stdout) == (1, True)
    assert stack.run("logs", "proxy", "-n", "3").stdout
    assert "There are logs of: database, mailbox" in stack.run("logs", "nonsense").stderr

    assert stack.run("down").returncode == 0
    assert platform_processes(stack.layout) == []
    assert stack.run("status").returncode == 3

    second = stack.up()
    assert second.returncode == 0, second.stderr

    # A supervisor that hangs is not taken for one that is gone: students may be at work.
    stack.supervisor.suspend()
    assert "already up" in stack.up().stdout
    assert stack.run("status").returncode == 1
    assert all(each.is_running() for each in platform_processes(stack.layout))
    stack.supervisor.resume()

    # The worst of all: the supervisor gone, every service hung.
    stack.supervisor.kill()
    for process in platform_processes(stack.layout):
        process.suspend()
    assert "still run without supervision" in stack.run("status").stdout
    assert stack.run("down").returncode == 0
    assert platform_processes(stack.layout) == []

    assert stack.run("down", "--purge", "--yes").returncode == 0
    assert not stack.layout.state.exists()
    assert not [user.pw_name for user in pwd.getpwall() if user.pw_name.startswith(f"wod-{stack.port_base}-")]


def check_nothing_shows_a_secret(stack):
    secrets = {path.read_text() for path in stack.layout.secrets.iterdir()}
    shown = [" ".join(each.cmdline()) for each in platform_processes(stack.layout)]
    shown += [(stack.layout.run / name).read_text() for name in ("plan.json", "supervisord.conf")]
    shown += [path.read_text(errors="replace") for path in stack.layout.logs.iterdir()]
    assert not [text for text in shown for secret in secrets if secret in text]


def check_rights(stack):
    if os.geteuid() != 0:
        return
    uids = {name: stack.process(name).uids().real for name in STORING}
    assert 0 not in uids.values()
    assert len(set(uids.values())) == len(uids)
    given = {name: {path.name for path in stack.layout.credentials(name).iterdir()} for name in STORING}
    assert given == {
        "database": set(),
        "mailbox": set(),
        "prefect": {"wod_prefect_database_url"},
        "proxy": {"wod_proxy_token"},
    }
    url = (stack.layout.secrets / "wod_database_url").read_text()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() == (
            False,
        )
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url.removesuffix("/wod") + "/prefect")


def check_mail_is_kept(stack):
    with smtplib.SMTP("127.0.0.1", stack.port_base + 4) as server:
        server.sendmail("a@example.org", ["b@example.org"], "Subject: hello\r\n\r\nthere\r\n")
    (mail,) = (stack.layout.mail / "new").iterdir()
    assert "Subject: hello" in mail.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_in_the_foreground_a_signal_takes_it_down(platform, number):
    stack = platform()
    with subprocess.Popen(
        [*WOD, "up", *stack.only], env=stack.environment, stdout=subprocess.PIPE, text=True
    ) as up:
        for line in up.stdout:
            if "Ctrl-C" in line:
                break
        stack.process("proxy").suspend()
        up.send_signal(number)
        assert "is down" in up.stdout.read()

    assert up.returncode == 0
    assert platform_processes(stack.layout) == []


def test_a_start_that_is_interrupted_leaves_nothing(platform):
    stack = platform(STORING)
    with subprocess.Popen(
        [*WOD, "up", *stack.only], env=stack.environment, stderr=subprocess.PIPE, text=True
    ) as up:
        assert "ready" in up.stderr.readline()
        up.send_signal(signal.SIGINT)

    assert up.returncode != 0
    assert platform_processes(stack.layout) == []


def test_a_service_that_fails_is_named_with_the_end_of_its_log(platform):
    stack = platform(("api",), WOD_DATABASE_URL="postgresql://wod:pw@127.0.0.1:1/wod")

    up = stack.up()

    assert up.returncode == 1
    assert "The tables of the database did not get ready" in up.stderr
    assert str(stack.layout.log("prepare")) in up.stderr
    assert "Connection refused" in up.stderr
    assert "pw" not in up.stderr.replace("pwd", "")
    assert platform_processes(stack.layout) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's platforms have accounts")
def test_an_engine_whose_seats_are_somebody_elses_says_what_to_do(platform):
    stack = platform(("database", "prefect", "engine"), WOD_SEATS="2")
    account = f"student{stack.port_base}-2"
    subprocess.run(["useradd", "-M", account], check=True)
    try:
        up = stack.up()
    finally:
        subprocess.run(["userdel", account], check=True)
    assert up.returncode == 1
    assert f"{account}. Choose other names with the setting seat_prefix." in up.stderr.replace("\n", " ")
    assert "Traceback" not in up.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's platforms have accounts")
def test_a_rehearsal_keeps_off_names_that_a_killed_one_left():
    base = free_port_base()
    left = f"student{base}-7"
    subprocess.run(["useradd", "-M", left], check=True)
    try:
        assert free_port_base() > base
    finally:
        subprocess.run(["userdel", left], check=True)
    assert free_port_base() == base


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's platforms have accounts")
def test_accounts_of_a_platform_whose_state_was_deleted_can_still_be_purged(platform, state):
    left, stranger = f"wodt{token_hex(3)}-1", f"wodt{token_hex(3)}-1"
    for account, whose in ((left, state), (stranger, f"{state}-of-another")):
        home = f"{whose}/seats/{account}"
        subprocess.run(["useradd", "-M", "-d", home, "-c", f"wod seat of {whose}", account], check=True)
    try:
        down = platform().run("down", "--purge", "--yes")
        assert "The accounts of its seats are gone" in down.stdout
        accounts = {user.pw_name for user in pwd.getpwall()} & {left, stranger}
        assert accounts == {stranger}
        assert not state.exists()
    finally:
        for account in (left, stranger):
            subprocess.run(["userdel", account], check=False, stderr=subprocess.DEVNULL)


def test_two_platforms_stand_side_by_side(platform, state):
    one, other = platform(folder=state / "one"), None
    assert one.up().returncode == 0
    other = platform(folder=state / "two")
    assert other.up().returncode == 0

    assert one.run("down", "--purge", "--yes").returncode == 0

    assert all(each["ready"] for each in other.status().values())


def test_two_starts_at_once_make_one_platform(platform):
    stack = platform()
    command = [*WOD, "up", "--detach", *stack.only]
    starts = [
        subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]

    outputs = [start.communicate(timeout=60)[0] for start in starts]

    assert [start.returncode for start in starts] == [0, 0]
    assert sorted("already up" in text for text in outputs) == [False, True]


def test_a_state_folder_may_have_a_long_name_with_odd_letters(platform, state):
    stack = platform(folder=state / ('100% of it; and "more" ' + "x" * 100))

    up = stack.up()

    assert up.returncode == 0, up.stderr
    assert all(each["ready"] for each in stack.status().values())

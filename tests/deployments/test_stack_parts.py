import json
import os
import socket
import subprocess
import sys
import tomllib

import pytest

from deployments.stack.credentials import ensure_database_urls, ensure_secrets, is_database_embedded, read_secret
from deployments.stack.launch import pause_seconds
from deployments.stack.layout import Layout
from deployments.stack.preflight import check
from deployments.stack.probes import why_not_ready
from deployments.stack.remember import remember_settings
from deployments.stack.services import services
from models.errors import Refused
from models.settings import load_settings


@pytest.fixture
def layout(tmp_path, monkeypatch):
    state = tmp_path / "state"
    state.mkdir()
    for name in [name for name in os.environ if name.startswith("WOD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WOD_STATE", str(state))
    return Layout(state=state, home=tmp_path / "home", source=tmp_path)


@pytest.fixture
def listener():
    with socket.socket() as open_socket:
        open_socket.bind(("127.0.0.1", 0))
        open_socket.listen()
        yield open_socket


@pytest.mark.parametrize(
    ("starts", "pause"),
    [
        ([], 0),
        ([100], 0),
        ([99, 100], 0),
        ([98, 99, 100], 1),
        ([97, 98, 99, 100], 2),
        ([90] * 20, 10),
        ([10, 20, 30, 99, 100], 0),
    ],
)
def test_a_service_that_keeps_failing_starts_ever_more_slowly(starts, pause):
    assert pause_seconds(starts, now=100) == pause


def test_the_launcher_turns_into_the_service(tmp_path):
    (tmp_path / "starts").mkdir()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/wod_key").write_text("s3cret")
    (tmp_path / "needed").touch()
    code = "import json, os; print(json.dumps([os.getpid(), dict(os.environ), os.getcwd(), os.nice(0)]))"
    service = {
        "argv": [sys.executable, "-c", code],
        "needs": [f"file://{tmp_path}/needed"],
        "environment": {"GREETING": "hello", "LC_CTYPE": "C.UTF-8"},
        "secret_variables": {"KEY": "key"},
        "credentials": str(tmp_path / "credentials"),
        "home": str(tmp_path),
        "account": None,
        "niceness": 7,
    }
    (tmp_path / "plan.json").write_text(json.dumps({"services": {"echo": service}}))

    launcher = subprocess.Popen(
        [sys.executable, "-m", "deployments.stack.launch", str(tmp_path / "plan.json"), "echo"],
        stdout=subprocess.PIPE,
    )
    pid, environment, folder, niceness = json.loads(launcher.communicate(timeout=30)[0])

    assert (pid, folder, niceness) == (launcher.pid, str(tmp_path), os.nice(0) + 7)
    assert environment == {"GREETING": "hello", "LC_CTYPE": "C.UTF-8", "KEY": "s3cret", "HOME": str(tmp_path)}


def test_a_port_that_only_accepts_is_not_ready(listener, monkeypatch):
    monkeypatch.setattr("deployments.stack.probes.TIMEOUT_SECONDS", 0.2)
    port = listener.getsockname()[1]

    for scheme in ("http", "smtp", "postgres"):
        assert why_not_ready(f"{scheme}://127.0.0.1:{port}") == "timed out"


@pytest.mark.parametrize(
    ("scheme", "answer", "is_ready"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        ("http", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", False),
        ("http", b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", False),
        ("smtp", b"220 hello\r\n", True),
        ("smtp", b"421 too busy\r\n", False),
        ("postgres", b"R\0\0\0\x08\0\0\0\x03", True),
        ("postgres", b"E\0\0\0\x0557P03", False),
        ("postgres", b"", False),
    ],
)
def test_a_service_is_ready_when_it_says_so(scheme, answer, is_ready, tmp_path):
    code = (
        "import socket, sys\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "connection, _ = listener.accept()\n"
        f"if {scheme!r} != 'smtp': connection.recv(1000)\n"
        f"connection.sendall({answer!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        assert (why_not_ready(f"{scheme}://127.0.0.1:{port}") == "") is is_ready


def test_every_taken_port_is_named_at_once_with_the_setting_that_moves_it(layout, listener, monkeypatch):
    taken = listener.getsockname()[1]
    monkeypatch.setenv("WOD_API_PORT", str(taken))
    monkeypatch.setenv("WOD_SMTP_PORT", "21777")
    monkeypatch.setenv("WOD_CATALOG_PORT", "21777")

    with pytest.raises(Refused) as refused:
        check(load_settings(), layout, is_database_embedded=True)

    assert f"Port {taken} is taken" in refused.value.message
    assert "WOD_API_PORT, or move all ports with WOD_PORT_BASE" in refused.value.message
    assert "WOD_CATALOG_PORT and WOD_SMTP_PORT must differ" in refused.value.message


def test_secrets_are_made_once_and_for_one_account(layout):
    ensure_secrets(layout)
    first = {path.name: path.read_text() for path in layout.secrets.iterdir()}
    ensure_secrets(layout)

    assert {path.name: path.read_text() for path in layout.secrets.iterdir()} == first
    assert len(set(first.values())) == len(first) >= 7
    assert {path.stat().st_mode & 0o777 for path in layout.secrets.iterdir()} == {0o600}
    assert layout.secrets.stat().st_mode & 0o777 == 0o700


def test_a_database_that_was_named_once_stays_the_one(layout, monkeypatch):
    assert is_database_embedded(layout)
    ensure_secrets(layout)
    ensure_database_urls(layout, 5000, is_embedded=True)
    assert is_database_embedded(layout)
    assert ":5000/wod" in read_secret(layout, "database_url")

    monkeypatch.setenv("WOD_DATABASE_URL", "postgresql://me:pw@db.example/wod")
    assert not is_database_embedded(layout)
    ensure_secrets(layout)
    ensure_database_urls(layout, 5000, is_embedded=False)
    monkeypatch.delenv("WOD_DATABASE_URL")

    assert not is_database_embedded(layout)
    assert read_secret(layout, "database_url") == "postgresql://me:pw@db.example/wod"
    assert read_secret(layout, "prefect_database_url").startswith("sqlite+aiosqlite:///")


def test_settings_of_the_first_start_are_kept_beside_the_operators_text(layout, monkeypatch):
    layout.settings_file.write_text("# mine\nseats = 7")
    monkeypatch.setenv("WOD_SEATS", "9")
    monkeypatch.setenv("WOD_PORT_BASE", "21000")
    monkeypatch.setenv("WOD_BRAND", 'The "Best" of\tIt')
    monkeypatch.setenv("WOD_LOG_LEVEL", "INFO")
    monkeypatch.setenv("WOD_HUB_TOKEN", "s3cret")

    for _ in range(2):
        remember_settings(layout, load_settings(workshops=["/a", "/b"]), frozenset({"workshops"}))

    text = layout.settings_file.read_text()
    assert text.startswith("# mine\nseats = 7\n")
    assert tomllib.loads(text) == {
        "seats": 7,
        "port_base": 21000,
        "brand": 'The "Best" of\tIt',
        "workshops": ["/a", "/b"],
    }


def test_the_page_of_all_settings_is_the_one_in_the_docs(pytestconfig):
    page = pytestconfig.rootpath / "docs/settings.md"
    made = subprocess.run(
        [sys.executable, "-m", "ui.cli.main", "settings", "--markdown"], capture_output=True, text=True, check=True
    )

    assert page.read_text() == made.stdout, "make it anew: ./wod settings --markdown > docs/settings.md"


def test_what_runs_at_rest_fits_into_900_mb(layout):
    assert sum(each.memory_mb for each in services(load_settings(), layout, is_database_embedded=True)) <= 900


def test_the_catalog_gets_neither_secrets_nor_settings(layout):
    (catalog,) = (
        each for each in services(load_settings(), layout, is_database_embedded=True) if each.name == "catalog"
    )

    assert not catalog.secrets
    assert not catalog.secret_variables
    assert not catalog.is_trusted
    assert [name for name in catalog.environment if name.startswith("WOD_")] == [
        "WOD_PLATFORM",
        "WOD_CATALOG_API_URL",
    ]

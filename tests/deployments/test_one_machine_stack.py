"""The shipped stack of one machine, on a machine: installed, backed up and restored, and taken off again."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import asyncssh
import httpx
import pytest
from eventually import until
from machines import Machines, RunningMachine
from one_machine import WORKSHOP, OneMachine

from models.resources import Account, Environment, File, Link, Resource, Service, Tree
from models.rules.inner_ports import API_PORT, CATALOG_PORT, HUB_PORT, PREFECT_PORT, PROXY_API_PORT
from models.stack_manifest import parse_stack, read_stack
from tasks.roles.imagined import imagined_context
from tasks.roles.table import ROLES

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.timeout(1200)]

# Tells which of some addresses are reached, by whoever runs it.
_REACHED = """
import json, socket, sys
def is_open(address):
    try:
        socket.create_connection(address, 5).close()
    except OSError:
        return False
    return True
print(json.dumps([each for each in json.loads(sys.argv[1]) if is_open(tuple(each))]))
"""
# Guesses passwords at the hub itself, in another's name.
_LIES = """
import sys, urllib.error, urllib.request
for _ in range(12):
    lie = {"X-Forwarded-For": "203.0.113.88"}
    try:
        urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/hub/login", b"username=student1", lie))
    except urllib.error.HTTPError as refused:
        assert refused.code == 403
"""
_BEFORE = "SELECT datname FROM pg_database WHERE datname LIKE 'wod%before%'"


@pytest.fixture(scope="module")
def stack(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    machine = machines.start("one")
    stack = OneMachine(machine, tmp_path_factory.mktemp("one-machine"))
    stack.wod("install")
    yield stack
    machine.stop()


def test_a_second_installation_changes_nothing(stack):
    reports = json.loads(stack.wod("install", "--json"))
    assert [report["role"] for report in reports] == list(read_stack(stack.file).roles_of(stack.machine.name))
    outcomes = [each for report in reports for each in report["outcomes"]]
    assert [(each["key"], each["event"]) for each in outcomes if each["event"] != "same"] == []


def test_a_control_machine_without_the_secrets_is_refused(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "state", tmp_path)
    for command in ("plan", "install"):
        assert "secrets.yaml" in stack.wod(command, status=1)
    assert not list(tmp_path.rglob("secrets.yaml"))


async def test_students_come_in_through_the_hub_alone(stack):
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            stack.machine.address, username="student1", password="any", known_hosts=None, client_keys=None
        )
    journal = stack.machine.run(["journalctl", "--unit", "ssh", "--output", "cat"]).stdout
    assert "User student1 from" in journal
    assert "not allowed because listed in DenyUsers" in journal


def test_a_booking_of_the_operators_workshop_is_served(stack):
    until(lambda: stack.ask("/api/health").json()["status"] == "ok", "all is well", 60)
    assert [each["key"] for each in stack.ask("/api/v1/workshops").json()] == [WORKSHOP]
    reference = stack.book("served")
    assert stack.machine.run(["sh", "-c", f"ls /student/*/{WORKSHOP}/0-ReadMeFirst.ipynb"]).stdout
    assert (
        stack.ask(f"/api/v1/bookings/{reference}")
        .json()["session_url"]
        .startswith(f"https://{stack.machine.name}:8010")
    )


def test_who_tries_passwords_is_kept_out_and_not_whom_they_name(stack):
    def kept_out() -> list[str]:
        return stack.machine.run(["fail2ban-client", "get", "wod-hub", "banip"]).stdout.split()

    guess = {"username": "student1", "password": "guessed"}
    stack.machine.run(
        ["runuser", "-u", "student1", "--", "python3", "-c", _LIES, f"http://127.0.0.1:{HUB_PORT}"], cwd="/"
    )
    with stack.client(8010) as stranger, suppress(httpx.HTTPError):
        for _ in range(12):
            stranger.post("/hub/login", data=guess, headers={"X-Real-Ip": "203.0.113.77"}, timeout=5)
    until(kept_out, "whoever guesses is kept out", 30)
    try:
        assert kept_out() == [stack.machine.gateway]
        journal = stack.machine.run(["journalctl", "--unit", "wod-hub", "--output", "cat"]).stdout
        assert journal.count("403 POST /hub/login (@127.0.0.3)") == 12
        assert "203.0.113." not in journal
    finally:
        stack.machine.run(["fail2ban-client", "unban", "--all"])


def test_students_reach_the_hub_of_their_machine_and_none_of_the_services_beside_it(stack):
    """What such a machine asks is believed and never limited, as the platform's own."""
    listening = stack.machine.run(["ss", "-Hltne"]).stdout.splitlines()
    # Servers and kernels of seats stay open to seats, which need them.
    others = [line.split()[3] for line in listening if not re.search(r"uid:2\d{3}\b", line)]
    ports = {int(each.rpartition(":")[2]) for each in others}
    hosts = ("127.0.0.1", "::1", stack.machine.address)
    doors = json.dumps([(host, port) for host in hosts for port in sorted(ports)])

    def reached(user: str) -> set[int]:
        as_user = ["runuser", "-u", user, "--", "python3", "-c", _REACHED, doors]
        return {port for _, port in json.loads(stack.machine.run(as_user, cwd="/").stdout)}

    platforms = {8000, 9000, 10000, 10001, API_PORT, PREFECT_PORT, CATALOG_PORT, PROXY_API_PORT}
    assert reached("root") == reached("wod-catalog") == platforms | {22, 8010, HUB_PORT}
    assert reached("student1") == {22, 8010, HUB_PORT}


def test_users_are_added_on_the_machine_and_log_in_at_its_api(stack):
    user = {"username": "ops", "password": "correct horse battery"}
    arguments = [user["username"], "--email", "ops@example.org", "--role", "moderator", "--password-stdin"]
    stack.machine.run(["wod", "user", "add", *arguments], input=f"{user['password']}\n")
    assert json.loads(stack.machine.run(["wod", "user", "list", "--json"]).stdout)[0]["roles"] == ["moderator"]
    with stack.api() as api:
        token = api.post("/api/login", json=user).raise_for_status().json()["accessToken"]
        assert api.get("/api/customers", headers={"x-access-token": token}).is_success
    assert stack.machine.run(["wod", "down", "--purge"], check=False).returncode == 2
    as_student = ["runuser", "-u", "student1", "--", "wod", "user", "list"]
    assert "sudo wod user" in stack.machine.run(as_student, check=False).stderr


def test_a_restored_database_is_that_of_the_backup_and_serves(stack):
    kept = stack.book("kept")
    [backup] = stack.backups("backup")
    assert re.fullmatch(r"wod-\d{4}-\d\d-\d\dT\d{6}Z\.dump", backup)
    assert stack.backups("restore") == [backup]
    since = stack.book("since")
    stack.wod("restore", "--backup", backup)
    assert stack.state_of(kept) == "ready"
    assert stack.state_of(since) == "404"
    assert len(stack.psql(_BEFORE)) == 1
    stack.book("after")
    [newest] = stack.backups("backup")
    assert newest > backup
    assert stack.psql(_BEFORE) == []


@pytest.mark.parametrize("name", ["wod-2020-01-01T000000Z.dump", "../../etc/passwd", "$(id)"])
def test_only_a_backup_that_is_there_is_restored(stack, name):
    assert f"There is no backup {name}" in stack.wod("restore", "--backup", name, status=1)
    assert stack.is_active("wod-engine", "wod-api")


def test_a_restore_that_is_killed_leaves_the_services_up_and_can_be_done_again(stack):
    backup, kept = stack.backups("restore")[0], stack.book("unharmed")
    unit = f"wod-restore@{backup}.service"
    stack.machine.run(["systemctl", "start", "--no-block", unit])
    until(lambda: not stack.is_active("wod-engine"), "it is under way", 30)
    stack.machine.run(["systemctl", "kill", "--signal", "KILL", unit])
    until(lambda: stack.is_active("wod-engine", "wod-api"), "the services are back", 60)
    until(lambda: stack.state_of(kept) == "ready", "the API is back, and nothing was lost", 30)
    stack.wod("restore", "--backup", backup)
    assert stack.state_of(kept) == "404"


def test_a_backup_that_is_damaged_is_told_and_nothing_is_lost(stack):
    kept = stack.book("safe")
    name = "wod-2026-01-01T000000Z.dump"
    stack.machine.run(["sh", "-c", f"echo damaged > /var/backups/wod/{name}"])
    assert "input file" in stack.wod("restore", "--backup", name, status=1)
    stack.machine.run(["rm", f"/var/backups/wod/{name}"])
    until(lambda: stack.state_of(kept) == "ready", "the API is back, and nothing was lost", 30)


async def test_with_acme_a_machine_is_known_by_its_own_name_all_the_same(stack):
    """An authority that does not answer: what is not certified is not served, and the own name is."""
    machine, public = stack.machine, "labs.example.org"
    text = stack.file.read_text().replace(
        "number: 1", f"number: 1\n    port: 8443\n    external: https://{public}"
    )
    for section in ("api", "frontend"):
        text = text.replace(f"{section}:\n", f"{section}:\n  external: https://{section}.example.org\n")
    source = "certificates: {source: acme, directory: 'https://127.0.0.1:9'}\n"
    manifest, problems = parse_stack(text + source, "stack.yaml")
    assert manifest, problems
    context = await imagined_context(manifest)
    written = {each.path: each for each in ROLES["backend"](context, machine.name) if isinstance(each, File)}
    trial = machine.root / "etc/wod/trial"
    trial.mkdir(mode=0o755)
    for name in ("certificate.pem", "key.pem"):
        (trial / name).write_bytes(written[f"/etc/wod/gate-hub/{name}"].content)
    caddyfile = (
        written["/etc/wod/gate-hub/Caddyfile"].content.decode().replace("/etc/wod/gate-hub", "/etc/wod/trial")
    )
    (trial / "Caddyfile").write_text(caddyfile)
    with_it = ["--adapter", "caddyfile", "--config", "/etc/wod/trial/Caddyfile"]
    machine.run(["caddy", "validate", *with_it])
    machine.run(["systemd-run", "--quiet", "--unit", "trial", "-E", "HOME=/run/trial", "caddy", "run", *with_it])
    machine.run(["nft", "insert", "rule", "inet", "wod", "input", "tcp", "dport", "8443", "accept"])
    trust = ssl.create_default_context(cadata=context.secrets.ca_certificate)
    until(lambda: _handshake(machine, trust, machine.name) == "TLSv1.3", "the own name is served", 30)
    assert "alert" in _handshake(machine, trust, public)
    machine.run(["systemctl", "stop", "trial"])
    machine.run(["rm", "-r", "/etc/wod/trial"])


def _handshake(machine: RunningMachine, trust: ssl.SSLContext, name: str) -> str:
    """Return the version of TLS that is spoken with a server under a name, or why none is."""
    try:
        with socket.create_connection((machine.address, 8443), timeout=10) as connection:
            return str(trust.wrap_socket(connection, server_hostname=name).version())
    except OSError as error:
        return str(error)


async def test_nothing_of_the_list_is_left_once_all_roles_are_off(stack):
    manifest = read_stack(stack.file)
    context = await imagined_context(manifest)
    name, bundle = stack.machine.name, stack.machine.root / "etc/ssl/certs/ca-certificates.crt"
    assert _authority(stack) in bundle.read_text()
    for role in reversed(manifest.roles_of(name)):
        stack.wod("uninstall", "--machine", name, "--role", role)
    resources: list[Resource] = [each for role in manifest.roles_of(name) for each in ROLES[role](context, name)]
    assert [each.key for each in resources if _is_left(each, stack.machine)] == []
    assert stack.machine.run(["nft", "list", "tables"]).stdout == ""
    assert _authority(stack) not in bundle.read_text()
    assert not (stack.machine.root / "var/lib/wod-installer").exists()
    over_ssh = stack.machine.ssh()
    assert (await over_ssh.run(["sudo", "-n", "true"], timeout_seconds=20)).status == 0
    await over_ssh.close()


def _authority(stack: OneMachine) -> str:
    return str(stack.secrets["ca_certificate"]).strip()


def _is_left(resource: Resource, machine: RunningMachine) -> bool:
    if isinstance(resource, File | Link | Tree | Environment):
        return os.path.lexists(machine.root / resource.path.removeprefix("/"))
    if isinstance(resource, Account):
        return machine.run(["id", resource.name], check=False).returncode == 0
    if isinstance(resource, Service) and resource.name.startswith("wod-"):
        return machine.run(["systemctl", "is-active", "--quiet", resource.name], check=False).returncode == 0
    return False

"""A stack that gets its certificates by ACME: from Pebble, the authority that Let's Encrypt gives testers."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from cryptography import x509
from eventually import until
from machines import Machines, RunningMachine
from one_machine import OneMachine

from models.tables import utc_now
from tasks.adapters.certificates import issue, new_authority

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.timeout(1200)]

_PORT, _MANAGEMENT_PORT, _MAIL_PORT = 14000, 15000, 2525
_DAY_SECONDS = 86_400
_CERTIFIED_SECONDS = 90


@dataclass(frozen=True)
class Authority:
    """A machine with Pebble; `certificates`, in PEM, are of who vouches for its door, and its root."""

    machine: RunningMachine
    certificates: tuple[str, str]

    @property
    def directory(self) -> str:
        return f"https://{self.machine.name}:{_PORT}/dir"

    @property
    def trust(self) -> ssl.SSLContext:
        """Trust in what it signs, and in nobody else."""
        return ssl.create_default_context(cadata=self.certificates[1])


@pytest.fixture(scope="module")
def authority(machines: Machines) -> Iterator[Authority]:
    machine = machines.start("ca")
    install = "apt-get update -q && apt-get install -q -y --no-install-recommends pebble && mkdir /etc/acme"
    machine.run(["sh", "-euc", install])
    door = new_authority("the door of the authority", utc_now())
    shown = issue(door, [machine.name], utc_now())
    options = {
        "listenAddress": f"0.0.0.0:{_PORT}",
        "managementListenAddress": f"0.0.0.0:{_MANAGEMENT_PORT}",
        "certificate": "/etc/acme/chain.pem",
        "privateKey": "/etc/acme/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": _DAY_SECONDS,
    }
    folder = machine.root / "etc/acme"
    (folder / "chain.pem").write_text(shown.chain)
    (folder / "key.pem").write_text(shown.key)
    (folder / "pebble.json").write_text(json.dumps({"pebble": options}))
    machine.run(["systemd-run", "--unit", "pebble", "pebble", "-config", "/etc/acme/pebble.json"])
    trust = ssl.create_default_context(cadata=door.chain)
    with httpx.Client(
        base_url=f"https://{machine.name}:{_MANAGEMENT_PORT}", verify=trust, trust_env=False
    ) as manager:
        until(lambda: machine.run(["ss", "-Htln", f"sport = {_MANAGEMENT_PORT}"]).stdout, "Pebble listens")
        root = manager.get("/roots/0").raise_for_status().text
    yield Authority(machine, (door.chain, root))
    machine.stop()


@pytest.fixture(scope="module")
def catalog(authority: Authority) -> str:
    """Return the name by which students know the catalog, which is not the machine's own."""
    return f"workshops.{authority.machine.name.partition('.')[2]}"


@pytest.fixture(scope="module")
def stack(
    machines: Machines, authority: Authority, catalog: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OneMachine]:
    """Yield a stack that was installed with the authority's certificates from the beginning."""
    machine = machines.start("acme", aliases=[catalog])
    folder = tmp_path_factory.mktemp("acme")
    stack = OneMachine(machine, folder)
    (folder / "company.crt").write_text("".join(authority.certificates))
    mail = f"{machine.address.rpartition('.')[0]}.1:{_MAIL_PORT}"
    text = stack.file.read_text().replace("frontend:\n", f"frontend:\n  external: https://{catalog}:8000\n")
    text = text.replace("mail:\n", f"mail:\n  smart_host: {mail}\n")
    source = f"certificates:\n  source: acme\n  directory: {authority.directory}\n  authority: company.crt\n"
    stack.file.write_text(text + source)
    take_all = ["-m", "aiosmtpd", "-n", "-l", mail, "-c", "aiosmtpd.handlers.Sink"]
    with subprocess.Popen([sys.executable, *take_all]) as mail_server:
        stack.wod("install")
        yield stack
        mail_server.kill()
    machine.stop()


def shown(machine: RunningMachine, name: str, port: int, trust: ssl.SSLContext) -> x509.Certificate | None:
    """Return the certificate that a machine shows under a name, None for one that is not trusted."""
    try:
        with (
            socket.create_connection((machine.address, port), timeout=10) as connection,
            trust.wrap_socket(connection, server_hostname=name) as speaking,
        ):
            certificate = speaking.getpeercert(binary_form=True)
    except OSError:
        return None
    assert certificate
    return x509.load_der_x509_certificate(certificate)


def test_every_address_shows_a_certificate_of_the_authority(stack, authority, catalog):
    own = stack.machine.name
    for name, port in ((own, 8010), (own, 10000), (own, 10001), (catalog, 8000)):
        until(
            lambda: shown(stack.machine, name, port, authority.trust),  # noqa: B023
            f"{name}:{port} is certified",
            _CERTIFIED_SECONDS,
        )
    found = shown(stack.machine, catalog, 8000, authority.trust)
    assert found
    assert (found.not_valid_after_utc - found.not_valid_before_utc).total_seconds() <= _DAY_SECONDS


def test_within_the_stack_the_catalogs_machine_is_known_by_its_own_name(stack, authority):
    own = ssl.create_default_context(cadata=stack.secrets["ca_certificate"])
    assert shown(stack.machine, stack.machine.name, 8000, own)
    assert not shown(stack.machine, stack.machine.name, 8000, authority.trust)


def test_a_check_finds_the_doors_well_and_a_student_is_served(stack, catalog):
    verdicts = json.loads(stack.wod("check", "--json", "--mail-to", "operator@example.org"))
    assert [each["message"] for each in verdicts if each["level"] == "bad"] == []
    said = [each["message"] for each in verdicts]
    assert f"Its certificate is good, for {catalog}, and for 24 hours yet." in said
    assert any(message.endswith("student1 could log in.") for message in said)


def test_a_second_installation_changes_nothing(stack):
    reports = json.loads(stack.wod("install", "--json"))
    outcomes = [each for report in reports for each in report["outcomes"]]
    assert [(each["key"], each["event"]) for each in outcomes if each["event"] != "same"] == []

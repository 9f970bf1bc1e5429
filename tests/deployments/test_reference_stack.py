"""The shipped reference stack, installed on bare machines by the real command, and lived on."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import ssl
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from document_samples import drawings_in, drawings_of, notebook_of_pictures
from eventually import until
from machine_bases import ROOT
from machines import Machines, RunningMachine
from playwright.async_api import Page, async_playwright, expect
from reference_stack import ReferenceStack, reference_stack
from ui_browser import CHROMIUM, book, fill_form

from deployments.rehearsal.maildir import credentials_of
from deployments.rehearsal.student import Student
from models.rules.booking import MailKind
from models.rules.passwords import derive_password, hub_token
from tasks.adapters.certificates import CertifiedKey, issue
from tasks.stack_secrets import certificate_names
from ui.api.client import ApiClient
from ui.api.schemas import BookingRequest, BookingStatus

pytestmark = [pytest.mark.machines, pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(1200)]

SAMPLES = ROOT / "deployments/workshops"
WORKSHOP = "WKSHP-Python-First-Steps"
API, PREFECT, CATALOG = "https://apidb.local:10000", "https://apidb.local:10001", "https://front.local:8000"
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def stack(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceStack]:
    """Yield the stack, installed from bare."""
    with reference_stack(machines, tmp_path_factory.mktemp("reference")) as opened:
        reports = opened.install()
        assert {(each["machine"], each["role"]) for each in reports} == {
            (machine, role) for machine in opened.machines for role in opened.manifest.roles_of(machine)
        }
        with opened.known_here():
            yield opened


@asynccontextmanager
async def chromium_page(stack: ReferenceStack) -> AsyncIterator[Page]:
    """Open a page in a browser that knows the machines, and trusts the frontend's key."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    names = ", ".join(f"MAP {name} {machine.address}" for name, machine in stack.machines.items())
    shown = x509.load_pem_x509_certificate(stack.secrets["certificates"]["front.local"]["chain"].encode())
    public = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(public).digest()).decode()
    options = ["--no-sandbox", f"--host-resolver-rules={names}", f"--ignore-certificate-errors-spki-list={pin}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield await browser.new_page()
        await browser.close()


def booked(stack: ReferenceStack, email: str, workshop: str = WORKSHOP) -> BookingStatus:
    """Book through the API; return the booking when it is ready."""
    with ApiClient(API) as api:
        wish = BookingRequest(workshop=workshop, email=email, name="Ana Example", accept_terms=True)
        return status_when(api, api.book(wish).reference, "ready")


def status_when(api: ApiClient, reference: str, state: str) -> BookingStatus:
    until(lambda: api.booking(reference).state == state, f"the booking is {state}", WAIT_SECONDS)
    return api.booking(reference)


def machine_of(stack: ReferenceStack, status: BookingStatus) -> RunningMachine:
    return stack.machines[urlsplit(status.session_url).hostname or ""]


def hub_of(status: BookingStatus) -> str:
    return status.session_url.partition("/hub/")[0]


async def test_a_student_books_in_a_browser_works_and_leaves(stack):
    email = "ana@example.org"
    async with chromium_page(stack) as page:
        await page.goto(f"{CATALOG}/workshop?workshop={WORKSHOP}")
        await fill_form(page, email)
        reference = await book(page)
        jupyter = page.get_by_role("link", name="Open JupyterLab")
        await expect(jupyter).to_be_visible(timeout=WAIT_SECONDS * 1000)
    mail = await stack.mailbox.wait_for(MailKind.CREDENTIALS, email, WAIT_SECONDS)
    assert any("be1.local (Postfix)" in line for line in mail.get_all("Received")), mail.items()
    # The relay says so once the next server has answered, when the mail is there already.
    until(lambda: is_sent(stack, email), f"the relay says that the mail to {email} is sent")

    credentials = credentials_of(mail)
    with ApiClient(API) as api:
        status = api.booking(reference)
        assert status.session_url == credentials.session_url
        async with Student(hub_of(status), credentials.username) as student:
            assert not await student.log_in(f"{credentials.password}x")
            assert await student.log_in(credentials.password)
            assert (await student.open_lab()).endswith("0-ReadMeFirst.ipynb")
            notebooks = await student.notebooks(WORKSHOP)
            assert await student.run_notebook(notebooks[1]) > 10
            api.end_booking(reference)
            ended = status_when(api, reference, "ended")
            assert not await student.log_in(credentials.password)
        assert ended.completion is not None
        assert ended.completion.cells_executed > 10
        with zipfile.ZipFile(io.BytesIO(api.work(reference))) as work:
            assert notebooks[1] in work.namelist()
    machine, account = machine_of(stack, status), credentials.username
    home = machine.run(["find", f"/student/{account}", "-mindepth", "1", "-not", "-name", ".*"])
    assert home.stdout == ""
    assert machine.run(["pgrep", "-u", account], check=False).stdout == ""
    fields = next(line.split(":") for line in shadow(machine) if line.startswith(f"{account}:"))
    assert (fields[1], fields[7]) == ("!", "1"), "no password, and expired since 1970"


def is_sent(stack: ReferenceStack, email: str) -> bool:
    said = stack.machines["be1.local"].run(["journalctl", "-o", "cat", "-t", "postfix/smtp"]).stdout
    return any(f"to=<{email}>" in line and "status=sent" in line for line in said.splitlines())


def shadow(machine: RunningMachine) -> list[str]:
    return machine.run(["cat", "/etc/shadow"]).stdout.splitlines()


@asynccontextmanager
async def student_with_tex(stack: ReferenceStack, workshop: str) -> AsyncIterator[Student]:
    """Open JupyterLab on a seat of the backend that has TeX, and end the session afterwards."""
    # The backend that is least in use gives the seat, so both are among these.
    found = [booked(stack, f"reader{number}@example.org", workshop) for number in range(3)]
    status = next(each for each in found if machine_of(stack, each) is stack.machines["be2.local"])
    try:
        async with Student(hub_of(status), status.account) as student:
            assert await student.log_in(derive_password(stack.secrets["password_key"], status.reference))
            await student.open_lab()
            yield student
    finally:
        with ApiClient(API) as api:
            for each in found:
                api.end_booking(each.reference)
                status_when(api, each.reference, "ended")


@pytest.mark.parametrize("workshop", [path.name for path in sorted(SAMPLES.glob("WKSHP-*"))])
async def test_a_student_saves_every_sample_notebook_as_pdf(stack, workshop):
    drawings = {f"{workshop}/{path.name}": drawings_of(path) for path in (SAMPLES / workshop).glob("*.ipynb")}
    async with student_with_tex(stack, workshop) as student:
        assert await student.notebooks(workshop) == sorted(drawings)
        for path, count in drawings.items():
            assert drawings_in(await student.as_pdf(path)) == count, path


async def test_no_picture_keeps_a_notebook_from_becoming_pdf(stack):
    async with student_with_tex(stack, WORKSHOP) as student:
        own = f"{WORKSHOP}/my pictures.ipynb"
        files = [f"Pictures/{name}.svg" for name in ("banner", "list", "loop")]
        await student.save_notebook(own, notebook_of_pictures(files))
        assert drawings_in(await student.as_pdf(own)) == 5


def test_prefect_shows_what_was_done_to_who_logs_in(stack):
    login = ("admin", stack.secrets["prefect_password"])
    with httpx.Client(base_url=PREFECT, verify=ssl.create_default_context(cafile=stack.ca_file)) as browser:
        wish = {"limit": 50}
        assert browser.post("/api/flow_runs/filter", json=wish).status_code == 401
        assert browser.post("/api/flow_runs/filter", json=wish, auth=("admin", "guess")).status_code == 401

        def runs() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = browser.post("/api/flow_runs/filter", json=wish, auth=login).json()
            return found

        # Bookings are over a moment before Prefect hears of it.
        until(lambda: "RUNNING" not in {run["state_type"] for run in runs()}, "no run goes on", WAIT_SECONDS)
        assert {"booking 1"} <= {run["name"] for run in runs()}
        assert {run["state_type"] for run in runs()} <= {"COMPLETED", "SCHEDULED"}
        for path in ("/docs", "/redoc", "/openapi.json", "/api/docs", "/api/openapi.json"):
            assert browser.get(path, auth=login).status_code == 404, path


def test_prefect_keeps_its_runs_in_the_database_that_is_made_for_it(stack):
    asked = ["runuser", "-u", "postgres", "--", "psql", "-At", "prefect", "-c", "SELECT count(*) FROM flow_run"]
    assert int(stack.machines["apidb.local"].run(asked, cwd="/").stdout) > 0


def secret_texts(stack: ReferenceStack) -> dict[str, str]:
    """Return a part of each secret that is nowhere else, by the names of the secrets."""
    kept = stack.secrets
    found = {name: kept[name] for name in ("password_key", "hub_master_token", "prefect_password")}
    for name in ("proxy_tokens", "hub_cookie_secrets"):
        found |= {f"{name} {backend}": value for backend, value in kept[name].items()}
    found |= {f"hub token {each}": hub_token(kept["hub_master_token"], each) for each in kept["proxy_tokens"]}
    # The last whole line of a key: those before may hold what is public of it.
    pems = {"engine_ssh_private_key": kept["engine_ssh_private_key"], "ca_key": kept["ca_key"]}
    pems |= {f"key of {machine}": each["key"] for machine, each in kept["certificates"].items()}
    return found | {name: pem.strip().splitlines()[-3] for name, pem in pems.items()}


def test_no_secret_is_seen_in_an_argument_or_a_log(stack):
    secrets = secret_texts(stack)
    assert len(secrets) == 15
    for machine in stack.machines.values():
        arguments = machine.run(["ps", "-ww", "-eo", "args"]).stdout
        journal = machine.run(["journalctl", "-o", "cat"]).stdout
        assert "sshd" in arguments
        assert "Reached target" in journal
        seen = [name for name, text in secrets.items() if text in arguments or text in journal]
        assert seen == [], machine.name


# What is an account's own: the keys that its service serves with, and what systemd hands its service.
READABLE = {
    ("be1.local", "student1"): set(),
    ("be1.local", "wodmgr"): set(),
    ("be1.local", "postfix"): {"/etc/wod/postfix/key.pem"},
    ("be1.local", "wod-proxy"): {"/etc/wod/proxy/key.pem"},
    ("apidb.local", "nobody"): set(),
    ("apidb.local", "postgres"): set(),
    ("apidb.local", "wod-api"): set(),
    ("apidb.local", "wod-prefect"): set(),
    ("apidb.local", "wod-gate"): {"/etc/wod/gate-api/key.pem"},
    ("apidb.local", "wod-engine"): {
        f"/run/credentials/wod-engine.service/{name}"
        for name in ("engine_key", "wod_hub_token", "wod_password_key")
    },
    ("front.local", "wod-catalog"): set(),
    ("front.local", "wod-gate"): {"/etc/wod/gate-catalog/key.pem"},
}
_FOLDERS = "/etc /home /opt/wod/hub-config /opt/wod/platform /root /run /srv /student /tmp /usr/local /var"


@pytest.mark.parametrize(("name", "account"), READABLE)
def test_secrets_can_be_read_by_those_alone_whose_they_are(stack, name, account):
    machine = stack.machines[name]
    texts = machine.root / "var/tmp/secret-texts"
    texts.write_text("\n".join(secret_texts(stack).values()))
    try:
        search = f"grep -rlsF -f /var/tmp/secret-texts {_FOLDERS}"
        found = machine.run(["runuser", "-u", account, "--", "sh", "-c", search], check=False)
    finally:
        texts.unlink()
    assert "/var/tmp/secret-texts" in found.stdout, found.stderr
    assert set(found.stdout.splitlines()) - {"/var/tmp/secret-texts"} == READABLE[name, account]


def test_a_second_installation_changes_and_restarts_nothing(stack):
    before = stack.started()
    assert {unit for _, unit in before} >= {"wod-engine.service", "wod-hub.service", "wod-gate-catalog.service"}
    reports = stack.install()
    assert [each for each in reports if [out for out in each["outcomes"] if out["event"] != "same"]] == []
    assert stack.started() == before


def checked(stack: ReferenceStack, *arguments: str, status: int = 0) -> list[dict[str, str]]:
    verdicts: list[dict[str, str]] = json.loads(stack.wod("check", "--json", *arguments, status=status)[0])
    return verdicts


def test_a_check_finds_all_well_after_an_installation(stack):
    verdicts = checked(stack, "--mail-to", "operator@example.org")
    wrong = [each for each in verdicts if each["level"] != "good"]
    assert [each["message"] for each in wrong] == ["There is no backup of the database."]
    said = "\n".join(f"{each['subject']}: {each['message']}" for each in verdicts)
    for backend in ("be1.local", "be2.local"):
        assert re.search(rf"{backend}: A booking was ready after .* could log in", said), said
        assert f"{backend}:9000: A mail to operator@example.org went through" in said
        assert f"https://{backend}:8010: JupyterHub answers, and takes the engine's token." in said
    assert said.count("was wiped and given back.") == 2
    assert said.count("All that its roles have put there is as the stack says.") == 4
    assert any(
        each["Subject"] == "A check of the stack test" for each in stack.mailbox.mails("operator@example.org")
    )

    stack.machines["apidb.local"].run(["systemctl", "start", "wod-backup"])
    backup = [each["message"] for each in checked(stack, "--no-booking") if "backed up" in each["message"]]
    assert len(backup) == 1


def test_what_a_killed_check_has_booked_is_ended_by_the_next_one(stack):
    noted = stack.state / "stacks/test/check-bookings"
    with stack.start("check", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as check:
        until(lambda: noted.exists() and noted.read_text(), "it has booked", WAIT_SECONDS)
        check.kill()
    [reference, *_] = noted.read_text().split()
    with ApiClient(API) as api:
        status_when(api, reference, "ready")
        verdicts = checked(stack)
        assert api.booking(reference).state == "ended"
    assert all(each["level"] != "bad" for each in verdicts)
    assert noted.read_text() == ""


def test_a_check_names_all_that_is_wrong_and_an_installation_mends_it(stack):
    front = stack.machines["front.local"]
    kept, then = stack.secrets, datetime.now(UTC) - timedelta(days=400)
    authority = CertifiedKey(kept["ca_key"], kept["ca_certificate"])
    expired = issue(authority, certificate_names(stack.manifest, "front.local"), then)
    folder = front.root / "etc/wod/gate-catalog"
    (folder / "key.pem").write_text(expired.key)
    (folder / "certificate.pem").write_text(expired.chain)
    front.run(["systemctl", "restart", "wod-gate-catalog"])
    stack.machines["be1.local"].run(["systemctl", "stop", "wod-hub"])
    stack.machines["be2.local"].run(["systemctl", "stop", "postfix"])

    verdicts = checked(stack, "--no-booking", status=1)
    wrong = {(each["subject"], each["message"]) for each in verdicts if each["level"] == "bad"}
    assert ("be1.local", "wod-hub is inactive.") in wrong
    assert ("be2.local", "postfix is inactive.") in wrong
    assert (CATALOG, f"The certificate of {CATALOG} is not good: certificate has expired.") in wrong
    assert any(subject == "https://be1.local:8010" for subject, _ in wrong)
    assert any(subject == "be2.local:9000" and "does not take a mail" in message for subject, message in wrong)
    assert {subject for subject, _ in wrong} == {
        "be1.local", "be2.local", CATALOG, "https://be1.local:8010", "be2.local:9000",
    }  # fmt: skip
    assert all(each["remedy"] for each in verdicts if each["level"] == "bad")

    changed = {
        (each["machine"], outcome["key"])
        for each in stack.install()
        for outcome in each["outcomes"]
        if outcome["event"] == "changed"
    }
    assert changed == {
        ("be1.local", "service wod-hub"),
        ("be2.local", "service postfix"),
        ("front.local", "file /etc/wod/gate-catalog/certificate.pem"),
        ("front.local", "file /etc/wod/gate-catalog/key.pem"),
        ("front.local", "service wod-gate-catalog"),
    }
    assert all(each["level"] == "good" for each in checked(stack))


def test_a_check_is_a_run_in_prefect_that_fails_with_what_is_wrong(stack):
    api, given = stack.machines["apidb.local"], "/var/lib/wod/stacks"
    api.run(["install", "-d", "-m", "0700", "-o", "wod-engine", given, f"{given}/test"])
    for path, name in (
        (stack.file, "stack.yaml"),
        (api.key, "key"),
        (stack.state / "stacks/test/secrets.yaml", "test/secrets.yaml"),
        (stack.state / "stacks/test/known_hosts", "test/known_hosts"),
    ):
        place = ["install", "-m", "0600", "-o", "wod-engine", "/dev/stdin", f"{given}/{name}"]
        api.run(place, input=path.read_text())
    parameters = {"stack": f"{given}/stack.yaml", "ssh_key": f"{given}/key", "books": False}
    login = ("admin", stack.secrets["prefect_password"])
    try:
        with httpx.Client(base_url=f"{PREFECT}/api", auth=login) as prefect:

            def deployment() -> dict[str, Any]:
                found: dict[str, Any] = prefect.get("/deployments/name/check-stack/production").json()
                return found

            def outcome() -> str:
                asked = {"parameters": parameters}
                run = prefect.post(f"/deployments/{deployment()['id']}/create_flow_run", json=asked).json()["id"]
                until(lambda: is_over(run), "the check's run is over", 2 * WAIT_SECONDS)
                state = prefect.get(f"/flow_runs/{run}").json()["state"]
                return f"{state['type']}: {state['message']}"

            def is_over(run: str) -> bool:
                return prefect.get(f"/flow_runs/{run}").json()["state_type"] in ("COMPLETED", "FAILED", "CRASHED")

            assert outcome().startswith("COMPLETED")
            stack.machines["be1.local"].run(["systemctl", "stop", "wod-hub"])
            assert re.match("(?s)FAILED.*be1.local: wod-hub is inactive", outcome())

            planned = {"schedule": {"cron": "15 6 * * *"}, "active": True, "parameters": parameters}
            schedules = f"/deployments/{deployment()['id']}/schedules"
            prefect.post(schedules, json=[planned]).raise_for_status()
            before = deployment()["updated"]
            api.run(["systemctl", "restart", "wod-engine"])
            until(lambda: deployment()["updated"] != before, "the engine has registered its flows", WAIT_SECONDS)
            (kept,) = deployment()["schedules"]
            assert (kept["active"], kept["parameters"]) == (True, parameters)
            prefect.delete(f"{schedules}/{kept['id']}").raise_for_status()
    finally:
        stack.machines["be1.local"].run(["systemctl", "start", "wod-hub"])
        api.run(["rm", "-rf", given])


async def test_a_third_backend_disturbs_nobody_and_serves(stack):
    status = booked(stack, "ben@example.org")
    mail = await stack.mailbox.wait_for(MailKind.CREDENTIALS, "ben@example.org", WAIT_SECONDS)
    async with Student(hub_of(status), status.account) as student:
        assert await student.log_in(credentials_of(mail).password)
        await student.open_lab()
        before = stack.started()
        stack.boot({"be3.local": "bookworm"})
        listed = "  - machine: be2.local\n    number: 2\n    port: 8010\n"
        text = stack.file.read_text()
        assert listed in text
        # Without TeX, which takes most of an installation's time.
        added = listed.replace("2", "3") + "    pdf_export: false\n"
        stack.file.write_text(text.replace(listed, listed + added))
        stack.install()
        after = stack.started()
        # The engine reads the list of backends when it starts, and a booking's work goes on afterwards.
        assert {each for each in before if before[each] != after[each]} == {("apidb.local", "wod-engine.service")}
        assert await student.is_served()
        assert await student.run_notebook(f"{WORKSHOP}/1-WKSHP-Values-and-Text.ipynb") > 10

    def is_on_third(number: int) -> bool:
        return urlsplit(booked(stack, f"student{number}@example.org").session_url).hostname == "be3.local"

    until(lambda: is_well("backends"), "the seats of the third backend are there", WAIT_SECONDS)
    assert any(is_on_third(number) for number in range(3)), "the least used backend is taken first"


def is_well(part: str) -> bool:
    with ApiClient(API) as api:
        return api.health().parts[part].ok


def test_a_machine_that_loses_its_network_stops_itself_alone_and_is_resumed(stack):
    cut_off, others = stack.machines["be2.local"], [name for name in stack.machines if name != "be2.local"]
    stack.wod("uninstall", "--machine", "be2.local", "--role", "backend")
    stack.file.write_text(f"{stack.file.read_text()}settings:\n  brand: Renamed Workshops\n")
    told: list[str] = []
    with stack.start("install", stdout=subprocess.DEVNULL) as running:
        assert running.stderr is not None
        try:
            for line in running.stderr:
                told.append(line)
                if re.search(r"be2\.local +backend", line):
                    cut_off.disconnect()
            assert running.wait() == 1
        finally:
            cut_off.reconnect()
    ending = "".join(line for line in told if not line.startswith("["))
    assert "be2.local (be2.local:22) can't be reached" in ending, ending
    assert not [name for name in others if name in ending]
    with ApiClient(API) as api:
        assert api.brand().name == "Renamed Workshops"

    reports = {(each["machine"], each["role"]): each for each in stack.install()}
    changed = {
        at: [each for each in report["outcomes"] if each["event"] == "changed"] for at, report in reports.items()
    }
    assert {at for at, found in changed.items() if found} == {("be2.local", "backend")}
    cut_off.run(["systemctl", "is-active", "wod-hub"])
    assert all(each["level"] != "bad" for each in checked(stack, "--no-booking"))

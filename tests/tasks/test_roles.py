"""What roles are lists of: pure, whole, without a secret in the open, and at peace with each other."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from models.resources import Account, Command, Environment, File, Folder, Link, Packages, Resource, Service, Tree
from models.stack_manifest import parse_stack
from tasks.roles.base import openings
from tasks.roles.context import RoleContext
from tasks.roles.imagined import imagined_context
from tasks.roles.table import ROLES, needs
from tasks.stack_secrets import StackSecrets

EXAMPLES = Path(__file__).parents[2] / "deployments/examples"
REFERENCE = (EXAMPLES / "reference.yaml").read_text()
ONE = (EXAMPLES / "one-machine.yaml").read_text()
APPLIANCES = "appliances:\n  - {machine: app1.local}\n  - {machine: app2.local, containers: docker}\n"
ACME = "certificates: {source: acme, email: operators@example.org}\n"
DIRECTORY = "https://ca.local/acme/directory"

STACKS = {
    "reference": REFERENCE,
    "one machine": ONE,
    "with appliances": REFERENCE + APPLIANCES,
    "one machine that is an appliance, too": f"{ONE}appliances:\n  - machine: wod.local\n",
    "a backend that is the API's, too": REFERENCE.replace("apidb.local", "be1.local"),
    "a backend that is the catalog's, too": REFERENCE.replace("front.local", "be1.local"),
    "acme": REFERENCE.replace(".local", ".example.org") + ACME,
    "acme, one machine": ONE.replace(".local", ".example.org") + ACME,
    "acme with other names outside": ONE.replace(
        "wod.local\n    number: 1", 'wod.local\n    number: 1\n    external: "https://labs.example.org"'
    ).replace("machine: wod.local\n\n", 'machine: wod.local\n  external: "https://wod.example.org"\n\n')
    + ACME,
    "acme of an authority of the operator's": f"{ONE}certificates: {{source: acme, directory: '{DIRECTORY}'}}\n",
    "http": ONE.replace("machine: wod.local\n\n", "machine: wod.local\n  protocol: http\n\n"),
    "a smart host and low ports": REFERENCE.replace("port: 8000", "port: 443").replace(
        "relay_port: 9000", "smart_host: smtp.example.org:587\n  relay_port: 25"
    ),
}
# Accounts and groups that packages bring.
_OF_PACKAGES = {"root": "", "postgres": "postgresql", "postfix": "postfix"}


@cache
def context_of(name: str) -> RoleContext:
    stack, problems = parse_stack(STACKS[name], "stack.yaml")
    assert stack is not None, problems
    return asyncio.run(imagined_context(stack))


@cache
def roles_of(name: str) -> dict[tuple[str, str], list[Resource]]:
    """Return the resources of each machine and role."""
    context = context_of(name)
    return {
        (machine, role): list(ROLES[role](context, machine))
        for machine in context.stack.machine_names
        for role in context.stack.roles_of(machine)
    }


def in_order(name: str, machine: str) -> list[Resource]:
    """Return all that a machine gets, in the order in which it gets it."""
    return [each for (of, _), resources in roles_of(name).items() if of == machine for each in resources]


def secret_texts(secrets: StackSecrets) -> set[str]:
    texts = {secrets.password_key, secrets.hub_master_token, secrets.prefect_password, secrets.ca_key}
    texts |= {*secrets.proxy_tokens.values(), *secrets.hub_cookie_secrets.values()}
    texts |= {secrets.hub_token(backend) for backend in secrets.proxy_tokens}
    keys = [secrets.engine_ssh_private_key, secrets.appliance_ssh_private_key]
    keys += [each.key for each in secrets.certificates.values()]
    return texts | {key.strip() for key in keys}


stacks = pytest.mark.parametrize("name", STACKS)


@stacks
def test_keys_are_unique_and_reasons_are_sentences(name):
    for (machine, role), resources in roles_of(name).items():
        keys = [each.key for each in resources]
        assert len(keys) == len(set(keys)), (machine, role)
        for each in resources:
            assert re.fullmatch(r"[A-Z].*\.", each.why), each.key


@stacks
def test_services_depend_on_what_comes_before_them(name):
    for machine in context_of(name).stack.machine_names:
        known: set[str] = set()
        for each in in_order(name, machine):
            if isinstance(each, Service):
                assert {*each.restart_on, *each.reload_on} <= known, each.key
            known.add(each.key)


@stacks
def test_a_unit_is_restarted_for_itself(name):
    for resources in roles_of(name).values():
        units = {each.path for each in resources if isinstance(each, File) and each.path.endswith(".service")}
        for each in resources:
            path = f"/etc/systemd/system/{getattr(each, 'name', '')}.service"
            if isinstance(each, Service) and path in units:
                assert f"file {path}" in each.restart_on


@stacks
def test_no_secret_is_in_the_open(name):
    secrets = secret_texts(context_of(name).secrets)
    for resources in roles_of(name).values():
        for each in resources:
            is_secret = isinstance(each, File) and each.is_secret
            hidden = {"content"} if is_secret else {"stdin"} if isinstance(each, Command) else set()
            shown = {
                field.name: getattr(each, field.name)
                for field in dataclasses.fields(each)
                if field.name not in hidden
            }
            assert not [secret for secret in secrets if secret in _text_of(shown)], each.key
            if is_secret:
                assert not each.mode & 0o007, each.key
                assert each.mode & 0o040 == 0 or each.group != "root", each.key


def _text_of(shown: dict[str, object]) -> str:
    return "\n".join(
        each.decode(errors="replace") if isinstance(each, bytes) else json.dumps(each, default=str)
        for each in shown.values()
    ).replace("\\n", "\n")


@stacks
def test_secrets_stand_in_folders_that_are_closed(name):
    for machine in context_of(name).stack.machine_names:
        folders = {each.path: each for each in in_order(name, machine) if isinstance(each, Folder)}
        for each in in_order(name, machine):
            if isinstance(each, File) and each.is_secret:
                folder = folders[str(Path(each.path).parent)]
                assert not folder.mode & 0o007, each.key


@stacks
def test_a_role_needs_nothing_but_what_it_and_the_base_bring(name):
    """Folders of files, accounts of owners, programs of units: whatever order other roles come in."""
    everywhere = roles_of(name)
    for (machine, role), resources in everywhere.items():
        have = [*(everywhere[machine, "base"] if role != "base" else []), *resources]
        packages = {package for each in have if isinstance(each, Packages) for package in each.names}
        assert sum(isinstance(each, Packages) for each in resources) == 1
        accounts = {each.name for each in have if isinstance(each, Account)}
        accounts |= {account for account, package in _OF_PACKAGES.items() if not package or package in packages}
        folders = {each.path for each in have if isinstance(each, Folder)}
        for each in resources:
            if isinstance(each, File | Folder):
                assert {each.owner, each.group} <= accounts, each.key
            if isinstance(each, Command):
                assert each.user in accounts, each.key
            if isinstance(each, File | Link | Tree | Environment):
                parent = str(Path(each.path).parent)
                assert parent in folders or parent in _BROUGHT, each.key
        for unit in _own_units(resources):
            assert set(re.findall(r"^User=(.+)$", unit.content.decode(), re.M)) <= accounts
            for program in re.findall(r"/(?:opt|usr/local/lib)/wod/[\w-]+", unit.content.decode()):
                assert any(getattr(each, "path", "") == program for each in have), (unit.key, program)


# Folders that the distributions have, or the packages that a role names.
_BROUGHT = {
    "/etc/systemd/system",
    "/etc/fail2ban/jail.d",
    "/etc/fail2ban/filter.d",
    "/etc/ssh/ssh_config.d",
    "/etc/ssh/sshd_config.d",
    "/usr/local/share/ca-certificates",
    "/usr/local/sbin",
    "/etc/postgresql/15/main/conf.d",
}


def _own_units(resources: list[Resource]) -> Iterator[File]:
    for each in resources:
        if isinstance(each, File) and each.path.startswith("/etc/systemd/system/"):
            yield each


@stacks
def test_roles_of_one_machine_agree(name):
    for machine in context_of(name).stack.machine_names:
        seen: dict[str, Resource] = {}
        for each in in_order(name, machine):
            before = seen.setdefault(each.key, each)
            if isinstance(each, Service) and isinstance(before, Service):
                assert each.is_running == before.is_running, each.key
            elif not isinstance(each, Packages):
                assert each.digest == before.digest, each.key


@stacks
def test_the_same_stack_gives_the_same_bytes(name):
    context = context_of(name)
    for (machine, role), resources in roles_of(name).items():
        again = ROLES[role](context, machine)
        assert [each.as_dict() for each in again] == [each.as_dict() for each in resources]


@stacks
def test_what_listens_is_what_the_manifest_says(name):
    stack = context_of(name).stack
    for machine in stack.machine_names:
        listed = set(stack.ports(machine)) - {22, 80}
        assert set(needs(stack, machine).ports) == listed, machine


def test_workshops_of_the_operator_are_delivered_and_offered_in_place_of_the_samples():
    context = context_of("reference")
    stack = context.stack.model_copy(update={"workshops": ("/home/me/labs", "https://git.example.org/more.git")})
    delivered = dataclasses.replace(context, stack=stack, workshops={"/home/me/labs": b"a tar"})
    resources = {each.key: each for each in ROLES["api-db"](delivered, "apidb.local")}
    offered = [key for key in resources if key.startswith("command workshops")]
    assert offered == [f"command workshops of {each}" for each in ("/opt/wod/workshops/labs", stack.workshops[1])]
    tree = resources["tree /opt/wod/workshops/labs"]
    assert isinstance(tree, Tree)
    assert tree.archive == b"a tar"
    changed = dataclasses.replace(delivered, workshops={"/home/me/labs": b"another tar"})
    after = {each.key: each for each in ROLES["api-db"](changed, "apidb.local")}
    assert [key for key in resources if resources[key].digest != after[key].digest] == [tree.key, offered[0]]


# Who may reach what

EVERYBODY = None
WHO = "name", "machine", "open_to"


@pytest.mark.parametrize(
    WHO,
    [
        ("reference", "be1.local", {"8010": EVERYBODY, "9000": ["apidb.local"]}),
        ("reference", "be2.local", {"8010": EVERYBODY, "9000": ["apidb.local"]}),
        ("reference", "apidb.local", {"10000": EVERYBODY, "10001": EVERYBODY}),
        ("reference", "front.local", {"8000": EVERYBODY}),
        ("with appliances", "app1.local", {"1024-65535": ["be1.local", "be2.local"]}),
        (
            "one machine",
            "wod.local",
            {"8010": EVERYBODY, "9000": ["wod.local"], "10000": EVERYBODY, "10001": EVERYBODY, "8000": EVERYBODY},
        ),
        ("acme", "front.example.org", {"8000": EVERYBODY, "80": EVERYBODY}),
        ("acme", "be1.example.org", {"8010": EVERYBODY, "9000": ["apidb.example.org"], "80": EVERYBODY}),
        ("a smart host and low ports", "be1.local", {"8010": EVERYBODY, "25": ["apidb.local"]}),
    ],
)
def test_machines_are_open_to_whom_they_serve(name, machine, open_to):
    context = context_of(name)
    expected = {
        ports: who and sorted(address for each in who for address in context.addresses[each])
        for ports, who in open_to.items()
    }
    found = openings(context, machine)
    assert {each.ports: each.sources and each.sources["ip"] for each in found} == expected
    rules = _content(name, machine, "/etc/wod/firewall.nft")
    accepted = {ports: who for who, ports in re.findall(r"(?:saddr \{ (.*) \} )?tcp dport (\S+) accept c", rules)}
    assert accepted == {ports: ", ".join(who or []) for ports, who in expected.items()}
    assert "policy drop" in rules


@pytest.mark.parametrize(
    ("name", "machine", "closed"),
    [
        ("reference", "apidb.local", {}),
        ("reference", "front.local", {}),
        ("with appliances", "app1.local", {}),
        ("reference", "be1.local", {"lo": {9000, 9105, 9106}}),
        ("one machine", "wod.local", {"lo": {9000, 9105, 9106, 10000, 10001, 9101, 9102, 8000, 9103}}),
        (
            "a backend that is the API's, too",
            "be1.local",
            {"lo": {9000, 9105, 9106, 10000, 10001, 9101, 9102}, "be2": {9000}},
        ),
        (
            "a backend that is the catalog's, too",
            "be1.local",
            {"lo": {9000, 9105, 9106, 8000, 9103}, "apidb": {10000}},
        ),
    ],
)
def test_seats_are_kept_from_what_takes_their_machine_for_the_platform(name, machine, closed):
    rules = _content(name, machine, "/etc/wod/firewall.nft")
    addresses = {value: each.partition(".")[0] for each, (value, *_) in context_of(name).addresses.items()}
    found: dict[str, set[int]] = {}
    for line in re.findall(r"^ *(.*) reject with", rules, re.M):
        assert "meta skuid >= 2001 " in line
        where = re.search(r"ip daddr { (.*?) }", line)
        ports = re.findall(r"\d+", line.rpartition("dport")[2])
        found.setdefault(addresses[where[1]] if where else "lo", set()).update(map(int, ports))
    assert found == closed


def test_addresses_of_both_families_are_let_in():
    context = context_of("reference")
    addresses = {**context.addresses, "apidb.local": ("10.0.0.3", "fd00::3", "127.0.0.1", "fe80::3")}
    changed = dataclasses.replace(context, addresses=addresses)
    rules = next(each for each in ROLES["base"](changed, "be1.local") if each.key == "file /etc/wod/firewall.nft")
    assert isinstance(rules, File)
    found = re.findall(r"(ip6?) saddr \{ (.*) \} tcp dport 9000", rules.content.decode())
    assert found == [("ip", "10.0.0.3"), ("ip6", "fd00::3")]
    postfix = next(
        each for each in ROLES["backend"](changed, "be1.local") if each.key == "file /etc/postfix/main.cf"
    )
    assert isinstance(postfix, File)
    networks = re.search(r"^mynetworks = (.*)$", postfix.content.decode(), re.M)
    assert networks
    assert networks[1].split() == ["127.0.0.0/8", "[::1]/128", "10.0.0.3", "[fd00::3]"]


# Certificates, way in


def test_the_relay_shows_the_stacks_own_certificate_in_every_case():
    for name in ("reference", "acme"):
        context = context_of(name)
        machine = context.stack.backends[0].machine
        shown = _content(name, machine, "/etc/wod/postfix/certificate.pem")
        assert shown == context.secrets.certificates[machine].chain
        trusted = [each for each in in_order(name, context.stack.api.machine) if each.key == "command trust"]
        assert trusted


@pytest.mark.parametrize(
    ("name", "machine", "file", "addresses"),
    [
        ("reference", "front.local", "gate-catalog", {"https://:8000": True}),
        ("reference", "apidb.local", "gate-api", {"https://:10000": True, "https://:10001": True}),
        ("http", "wod.local", "gate-catalog", {"http://:8000": False}),
        ("acme", "be1.example.org", "gate-hub", {"https://be1.example.org:8010": False}),
        (
            "acme with other names outside",
            "wod.local",
            "gate-hub",
            {"https://labs.example.org:8010": False, "https://wod.local:8010": True},
        ),
    ],
)
def test_caddy_shows_its_own_certificate_where_no_authority_certifies(name, machine, file, addresses):
    blocks = re.findall(
        r"^(https?://\S+) \{\n(.*?)^\}", _content(name, machine, f"/etc/wod/{file}/Caddyfile"), re.M | re.S
    )
    assert {address: "tls " in block for address, block in blocks} == addresses


def test_machines_trust_the_operators_authority_beside_the_stacks_own():
    context = context_of("reference")
    both = dataclasses.replace(context, authorities=(context.secrets.ca_certificate, "another\n"))
    folder = "/usr/local/share/ca-certificates"
    files = {each.path: each for each in ROLES["base"](both, "be1.local") if isinstance(each, File)}
    assert files[f"{folder}/wod-test.crt"].content.decode() == context.secrets.ca_certificate
    assert files[f"{folder}/wod-test-1.crt"].content == b"another\n"
    [trust] = [each for each in ROLES["base"](both, "be1.local") if isinstance(each, Command)]
    assert trust.undo[-2:] == (f"{folder}/wod-test.crt", f"{folder}/wod-test-1.crt")
    [before] = [each for each in ROLES["base"](context, "be1.local") if isinstance(each, Command)]
    assert trust.digest != before.digest


@pytest.mark.parametrize(
    ("name", "machine", "asked"),
    [
        ("acme, one machine", "wod.example.org", "email operators@example.org"),
        ("acme of an authority of the operator's", "wod.local", f"dir {DIRECTORY}"),
    ],
)
def test_caddy_asks_the_authority_that_the_stack_names(name, machine, asked):
    options = _content(name, machine, "/etc/wod/gate-hub/Caddyfile").partition("\n}\n")[0]
    assert asked in options
    assert "disable_tlsalpn_challenge" in options


def test_with_acme_the_hubs_proxy_is_reached_through_caddy_alone():
    unit = _content("acme", "be1.example.org", "/etc/systemd/system/wod-proxy.service")
    assert "--ip 127.0.0.1 --port 9106" in unit
    assert "ssl" not in unit
    assert "reverse_proxy 127.0.0.1:9106" in _content("acme", "be1.example.org", "/etc/wod/gate-hub/Caddyfile")


def test_keys_open_what_they_are_for():
    context = context_of("with appliances")
    engine, appliance = context.secrets.engine_ssh_public_key, context.secrets.appliance_ssh_public_key
    [on_backend] = _account("with appliances", "be1.local").authorized_keys
    assert on_backend == f"restrict {engine}"
    [on_appliance] = _account("with appliances", "app1.local").authorized_keys
    backends = ",".join(address for name in ("be1.local", "be2.local") for address in context.addresses[name])
    assert on_appliance == f'restrict,pty,from="{backends}" {appliance}'
    assert "seat-agent" in _content("with appliances", "be1.local", "/etc/sudoers.d/wod")
    assert "NOPASSWD: ALL" not in _content("with appliances", "be1.local", "/etc/sudoers.d/wod")
    assert not [each for each in in_order("reference", "be1.local") if "appliance" in each.key]


def test_an_appliance_has_the_seats_of_the_backends():
    seats = [each for each in in_order("with appliances", "app1.local") if each.key.startswith("account student")]
    assert [(each.name, each.uid) for each in seats if isinstance(each, Account)] == [
        (f"student{number}", 2000 + number) for number in range(1, 101)
    ]
    both = in_order("one machine that is an appliance, too", "wod.local")
    assert not [each for each in both if each.key.startswith("account student")]


def _account(name: str, machine: str) -> Account:
    [found] = [each for each in in_order(name, machine) if each.key == "account wodmgr"]
    assert isinstance(found, Account)
    return found


def _content(name: str, machine: str, path: str) -> str:
    files = {each.path: each for each in in_order(name, machine) if isinstance(each, File)}
    return files[path].content.decode()

"""The secrets of a stack: complete, the same for ever, and shown to nobody."""

from __future__ import annotations

import asyncio
import multiprocessing
import stat
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from models.errors import Refused
from models.rules.passwords import hub_token
from models.stack_manifest import StackManifest, parse_stack
from tasks.adapters.certificates import CertifiedKey, days_left, is_good
from tasks.adapters.ssh_keys import public_key
from tasks.stack_secrets import (
    StackSecrets,
    certificate_names,
    ensure_stack_secrets,
    read_stack_secrets,
    secrets_file,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STACK = """
name: lab
machines: {be1.local: {address: 10.0.0.7}}
backends:
  - {machine: be1.local, number: 1, external: "https://hub.example.org"}
  - {machine: be2.local, number: 2}
api: {machine: api.local}
frontend: {machine: api.local, external: "https://wod.example.org:8443"}
mail: {sender: wod@example.org}
"""


def stack(text: str = STACK) -> StackManifest:
    manifest, problems = parse_stack(text, "stack.yaml")
    assert manifest, problems
    return manifest


def secret_texts(kept: StackSecrets) -> set[str]:
    """Return every single secret, and nothing that is public."""
    texts = {kept.password_key, kept.hub_master_token, kept.prefect_password, kept.engine_ssh_private_key}
    texts |= {kept.ca_key, kept.appliance_ssh_private_key}
    texts |= {*kept.proxy_tokens.values(), *kept.hub_cookie_secrets.values()}
    return texts | {each.key for each in kept.certificates.values()}


async def test_all_are_made_once_and_kept_where_only_the_owner_can_read(tmp_path):
    made = await ensure_stack_secrets(tmp_path, stack(), NOW)
    path = secrets_file(tmp_path, "lab")
    before = path.stat()
    assert len(secret_texts(made)) == 6 + 2 + 2 + 3
    assert all(len(each) >= 64 for each in secret_texts(made))
    assert await ensure_stack_secrets(tmp_path, stack(), NOW + timedelta(days=1)) == made
    assert await read_stack_secrets(tmp_path, stack(), NOW) == made
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert stat.S_IMODE(before.st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


async def test_what_a_killed_installer_left_is_in_nobodys_way(tmp_path):
    path = secrets_file(tmp_path, "lab")
    path.parent.mkdir(parents=True)
    (path.parent / ".secrets.yaml.new").write_text("password_key: hal")
    made = await ensure_stack_secrets(tmp_path, stack(), NOW)
    assert list(path.parent.iterdir()) == [path]
    assert await read_stack_secrets(tmp_path, stack(), NOW) == made


async def test_no_value_is_ever_shown(tmp_path):
    made = await ensure_stack_secrets(tmp_path, stack(), NOW)
    shown = f"{made} {made!r} {made.certificates}"
    assert not [each for each in secret_texts(made) if each in shown or each[:30] in shown]


async def test_each_is_of_use(tmp_path):
    made = await ensure_stack_secrets(tmp_path, stack(), NOW)
    assert made.engine_ssh_public_key == public_key(made.engine_ssh_private_key)
    assert made.engine_ssh_public_key.split()[0] == "ssh-ed25519"
    assert made.hub_token("be1.local") == hub_token(made.hub_master_token, "be1.local")
    assert made.hub_token("be1.local") != made.hub_token("be2.local")
    assert set(made.proxy_tokens) == set(made.hub_cookie_secrets) == {"be1.local", "be2.local"}
    authority = CertifiedKey(made.ca_key, made.ca_certificate)
    for machine in ("be1.local", "be2.local", "api.local"):
        names = certificate_names(stack(), machine)
        assert is_good(made.certificates[machine], authority, names, NOW)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("be1.local", ("be1.local", "10.0.0.7", "hub.example.org")),
        ("be2.local", ("be2.local",)),
        ("api.local", ("api.local", "wod.example.org")),
    ],
)
def test_a_machine_is_known_by_all_its_names(machine, expected):
    assert certificate_names(stack(), machine) == expected


async def test_what_is_missing_is_added_and_nothing_else_changes(tmp_path):
    before = await ensure_stack_secrets(tmp_path, stack(), NOW)
    path = secrets_file(tmp_path, "lab")
    kept = YAML(typ="safe").load(path.read_text())
    del kept["prefect_password"]
    kept["hub_cookie_secrets"].pop("be2.local")
    kept |= {"of_a_later_version": "stays", "hub_master_token": kept["hub_master_token"]}
    with path.open("w") as file:
        YAML().dump(kept, file)
    larger = stack(STACK.replace("api:", "  - {machine: be3.local, number: 3}\napi:", 1))
    after = await ensure_stack_secrets(tmp_path, larger, NOW)
    assert set(after.proxy_tokens) == {"be1.local", "be2.local", "be3.local"}
    assert after.prefect_password != before.prefect_password
    unchanged = {each.name for each in fields(before)} - {
        "prefect_password",
        "proxy_tokens",
        "hub_cookie_secrets",
        "certificates",
    }
    assert all(getattr(after, name) == getattr(before, name) for name in unchanged)
    assert before.proxy_tokens.items() < after.proxy_tokens.items()
    assert before.certificates.items() < after.certificates.items()
    assert after.hub_cookie_secrets["be1.local"] == before.hub_cookie_secrets["be1.local"]
    assert "of_a_later_version: stays" in path.read_text()


async def test_a_backend_that_comes_back_finds_its_own(tmp_path):
    before = await ensure_stack_secrets(tmp_path, stack(), NOW)
    without = stack(STACK.replace("  - {machine: be2.local, number: 2}\n", ""))
    assert set((await ensure_stack_secrets(tmp_path, without, NOW)).certificates) == {"be1.local", "api.local"}
    assert await ensure_stack_secrets(tmp_path, stack(), NOW) == before


@pytest.mark.parametrize(("days", "is_renewed"), [(366, False), (368, True), (396, True), (1000, True)])
async def test_certificates_are_renewed_in_time_and_secrets_stay(tmp_path, days, is_renewed):
    before = await ensure_stack_secrets(tmp_path, stack(), NOW)
    after = await ensure_stack_secrets(tmp_path, stack(), NOW + timedelta(days=days))
    assert (after.certificates != before.certificates) is is_renewed
    assert (after.ca_key, after.ca_certificate) == (before.ca_key, before.ca_certificate)
    assert all(days_left(each, NOW + timedelta(days=days)) >= 30 for each in after.certificates.values())


async def test_the_authority_outlives_what_it_signs(tmp_path):
    before = await ensure_stack_secrets(tmp_path, stack(), NOW)
    late = NOW + timedelta(days=3650 - 400)
    after = await ensure_stack_secrets(tmp_path, stack(), late)
    authority = CertifiedKey(after.ca_key, after.ca_certificate)
    assert after.ca_key == before.ca_key
    assert after.ca_certificate != before.ca_certificate
    assert all(days_left(each, late) < days_left(authority, late) for each in after.certificates.values())


async def test_another_address_makes_another_certificate_for_that_machine_alone(tmp_path):
    before = await ensure_stack_secrets(tmp_path, stack(), NOW)
    after = await ensure_stack_secrets(tmp_path, stack(STACK.replace("10.0.0.7", "10.0.0.8")), NOW)
    assert {name for name in after.certificates if after.certificates[name] != before.certificates[name]} == {
        "be1.local"
    }


async def test_the_stack_has_certificates_of_its_own_when_people_are_shown_others(tmp_path):
    public = STACK.replace(".local", ".example.com")
    manifest = stack(public + "certificates: {source: acme, email: ops@example.org}\n")
    made = await ensure_stack_secrets(tmp_path, manifest, NOW)
    assert set(made.certificates) == set(manifest.machine_names)
    assert certificate_names(manifest, "be1.example.com") == ("be1.example.com", "10.0.0.7")


async def test_reading_keeps_nothing(tmp_path):
    first = await read_stack_secrets(tmp_path, stack(), NOW)
    assert len(secret_texts(first)) == 13
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("password_key: ", "password_key: [", ["line"]),
        ("password_key: ", "password_key: a_secret_value\npassword_key: ", ["line"]),
        ("proxy_tokens:\n", "proxy_tokens: 17\nother:\n", ["proxy_tokens"]),
        ("BEGIN OPENSSH", "BEGIN SOMETHING", ["engine_ssh_private_key"]),
        ("ca_certificate: |\n", "ca_certificate: nothing\nold: |\n", ["ca_certificate"]),
        ("    chain: |\n", "    rope: |\n", ["certificates.be1.local.chain", "certificates.be1.local.rope"]),
    ],
)
async def test_a_damaged_file_is_refused_with_what_is_wrong_but_no_secret(tmp_path, old, new, told):
    made = await ensure_stack_secrets(tmp_path, stack(), NOW)
    path = secrets_file(tmp_path, "lab")
    damaged = path.read_text().replace(old, new, 1)
    path.write_text(damaged)
    with pytest.raises(Refused) as refused:
        await ensure_stack_secrets(tmp_path, stack(), NOW)
    assert refused.value.reason == "secrets_damaged"
    for each in (str(path), *told):
        assert each in refused.value.message
    said = f"{refused.value.message} {refused.value.detail} {refused.value.__cause__}"
    assert not [each for each in (*secret_texts(made), "a_secret_value") if each[:20] in said]
    assert path.read_text() == damaged


def _password_key(state: Path) -> str:
    return asyncio.run(ensure_stack_secrets(state, stack(), NOW)).password_key


def test_installers_that_begin_together_have_the_same_secrets(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(_password_key, [tmp_path] * 6))) == 1

"""The operator's certificates are held against the stack before anything is changed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from models.errors import Refused
from models.stack_manifest import StackManifest, parse_stack
from models.tables import utc_now
from tasks.adapters.certificates import CertifiedKey, issue, new_authority
from tasks.certificate_files import read_certificate_files

STACK = """\
name: test
backends:
  - {machine: be1.local, number: 1, external: "https://labs.example.org"}
api: {machine: apidb.local}
frontend: {machine: apidb.local}
appliances:
  - {machine: app1.local}
mail: {sender: wodmailer@local}
certificates: {source: files, folder: FOLDER}
"""
AUTHORITY = new_authority("the operator's own", utc_now())


@pytest.fixture
def stack(tmp_path: Path) -> StackManifest:
    manifest, problems = parse_stack(STACK.replace("FOLDER", str(tmp_path)), "stack.yaml")
    assert manifest, problems
    return manifest


def put(folder: Path, machine: str, certified: CertifiedKey) -> None:
    (folder / f"{machine}.key").write_text(certified.key)
    (folder / f"{machine}.crt").write_text(certified.chain)


def test_machines_with_an_address_need_certificates_for_all_its_names(stack, tmp_path):
    (tmp_path / "authority.crt").write_text(AUTHORITY.chain)
    right = {
        "be1.local": issue(AUTHORITY, ["be1.local", "labs.example.org"], utc_now()),
        "apidb.local": issue(AUTHORITY, ["apidb.local"], utc_now()),
    }
    for machine, certified in right.items():
        put(tmp_path, machine, certified)
    own = read_certificate_files(stack, utc_now())
    assert own.of_machines == right
    assert own.authorities == (AUTHORITY.chain,)


def test_all_that_is_wrong_is_told_at_once(stack, tmp_path):
    put(tmp_path, "be1.local", issue(AUTHORITY, ["be1.local"], utc_now() - timedelta(days=500)))
    (tmp_path / "apidb.local.key").write_text("")
    with pytest.raises(Refused) as refused:
        read_certificate_files(stack, utc_now())
    assert refused.value.reason == "certificates_wrong"
    lines = refused.value.message.splitlines()
    assert [line.removeprefix(f"{tmp_path}/").partition(".local")[0] for line in lines[:-1]] == [
        *["be1"] * 3,
        *["apidb"] * 2,
    ]
    for word in (
        "not for labs.example.org",
        "It ended on",
        "Nobody whom machines trust",
        "is empty",
        "No such file",
    ):
        assert word in refused.value.message
    assert "PRIVATE" not in refused.value.message


def test_an_authority_that_is_none_is_told(stack, tmp_path):
    (tmp_path / "authority.crt").write_text("mine")
    with pytest.raises(Refused, match=r"authority\.crt: It holds no certificate"):
        read_certificate_files(stack, utc_now())


def test_the_authority_of_an_acme_directory_is_read_from_its_file(stack, tmp_path):
    acme = {"source": "acme", "folder": "", "authority": str(tmp_path / "company.crt")}
    stack = stack.model_copy(update={"certificates": stack.certificates.model_copy(update=acme)})
    with pytest.raises(Refused, match=r"company\.crt: It can't be read"):
        read_certificate_files(stack, utc_now())
    both = AUTHORITY.chain + new_authority("the one before", utc_now()).chain
    (tmp_path / "company.crt").write_text(both)
    own = read_certificate_files(stack, utc_now())
    assert own.of_machines == {}
    assert "".join(own.authorities) == both


def test_other_stacks_need_no_files(stack):
    internal = stack.certificates.model_copy(update={"source": "internal", "folder": ""})
    own = read_certificate_files(stack.model_copy(update={"certificates": internal}), utc_now())
    assert (own.of_machines, own.authorities) == ({}, ())

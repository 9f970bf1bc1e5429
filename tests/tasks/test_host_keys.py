"""Host keys: taken once, held against what machines show, and refused with what a person needs to judge."""

from __future__ import annotations

import asyncio
import socket
import stat
import subprocess

import pytest
from ssh_servers import Keys, ssh_server

from models.errors import Refused
from tasks.adapters.ssh import SshMachine
from tasks.host_keys import SshPlace, known_hosts_file, pin_host_keys


@pytest.fixture
def keys(tmp_path) -> Keys:
    folder = tmp_path / "keys"
    folder.mkdir()
    return Keys(folder)


def place(port: int, machine: str = "be1.local") -> SshPlace:
    return SshPlace(machine, "127.0.0.1", port)


def fingerprint(keys: Keys) -> str:
    line = f"{keys.server}.pub"
    return subprocess.run(["ssh-keygen", "-lf", line], capture_output=True, text=True, check=True).stdout.split()[
        1
    ]


async def test_a_key_is_noted_at_the_first_contact_for_strict_checking_from_then_on(tmp_path, keys):
    path = known_hosts_file(tmp_path, "lab")
    async with ssh_server(keys) as port:
        assert await pin_host_keys(tmp_path, "lab", [place(port)]) == {}
        user_at = f"somebody@127.0.0.1:{port}"
        machine = SshMachine("be1.local", user_at, known_hosts=path, client_key=keys.client)
        assert (await machine.run(["echo", "here"], timeout_seconds=10)).stdout == b"here\n"
        await machine.close()
        before = path.stat().st_mtime_ns
        assert await pin_host_keys(tmp_path, "lab", [place(port)]) == {}
        assert path.stat().st_mtime_ns == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().split()[:2] == [f"[127.0.0.1]:{port}", "ssh-ed25519"]


async def test_changed_keys_are_refused_together_and_nothing_is_noted(tmp_path, keys):
    others = tmp_path / "others"
    others.mkdir()
    new = Keys(others)
    async with ssh_server(keys) as first, ssh_server(keys) as second:
        await pin_host_keys(tmp_path, "lab", [place(first), place(second, "be2.local")])
    before = known_hosts_file(tmp_path, "lab").read_text()
    async with ssh_server(new, first), ssh_server(new, second), ssh_server(new) as third:
        machines = [place(first), place(second, "be2.local"), place(third, "be3.local")]
        with pytest.raises(Refused) as refused:
            await pin_host_keys(tmp_path, "lab", machines)
        lines = refused.value.message.splitlines()
        assert refused.value.reason == "host_key_changed"
        for line, machine, port in zip(lines, ("be1.local", "be2.local"), (first, second), strict=True):
            for told in (machine, fingerprint(keys), fingerprint(new), f"[127.0.0.1]:{port}", "known_hosts"):
                assert told in line
        path = known_hosts_file(tmp_path, "lab")
        assert path.read_text() == before
        # What the message says to do makes it right.
        path.write_text("")
        assert await pin_host_keys(tmp_path, "lab", machines) == {}
        assert len(path.read_text().splitlines()) == 3


async def test_machines_that_do_not_answer_are_named_and_the_others_are_noted(tmp_path, keys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        silent = taken.getsockname()[1]
    async with ssh_server(keys) as port:
        missed = await pin_host_keys(tmp_path, "lab", [place(silent, "be1.local"), place(port, "be2.local")])
    assert list(missed) == ["be1.local"]
    assert missed["be1.local"].reason == "machine_unreachable"
    assert f"be1.local (127.0.0.1:{silent})" in missed["be1.local"].message
    assert f"[127.0.0.1]:{port} " in known_hosts_file(tmp_path, "lab").read_text()


async def test_two_installers_note_all_that_both_meet(tmp_path, keys):
    async with ssh_server(keys) as first, ssh_server(keys) as second:
        await asyncio.gather(
            *(pin_host_keys(tmp_path, "lab", [place(port)]) for port in (first, second) for _ in range(4))
        )
    labels = [line.split()[0] for line in known_hosts_file(tmp_path, "lab").read_text().splitlines()]
    assert sorted(labels) == sorted([f"[127.0.0.1]:{first}", f"[127.0.0.1]:{second}"])


@pytest.mark.machines
async def test_openssh_is_known_by_the_key_that_was_noted_whatever_others_it_has(tmp_path, bare_machine):
    ours = SshPlace(bare_machine.name, bare_machine.address)
    path = known_hosts_file(tmp_path, "lab")
    await pin_host_keys(tmp_path, "lab", [ours])
    assert path.read_text().split()[:2] == [bare_machine.address, "ssh-ed25519"]
    for kind in ("ecdsa", "rsa"):
        key = (bare_machine.root / f"etc/ssh/ssh_host_{kind}_key.pub").read_text()
        path.write_text(f"{bare_machine.address} {key}")
        assert await pin_host_keys(tmp_path, "lab", [ours]) == {}
        user_at = f"ubuntu@{bare_machine.address}"
        machine = SshMachine(bare_machine.name, user_at, known_hosts=path, client_key=bare_machine.key)
        assert (await machine.run(["id", "-un"], timeout_seconds=20)).stdout == b"ubuntu\n"
        await machine.close()
    for kind in ("rsa", "ecdsa"):
        bare_machine.run(["rm", f"/etc/ssh/ssh_host_{kind}_key", f"/etc/ssh/ssh_host_{kind}_key.pub"])
    bare_machine.run(["systemctl", "restart", "ssh"])
    bare_machine.wait_until_up()
    with pytest.raises(Refused, match=r"\(ssh-ed25519\), and not SHA256:\S+ \(ssh-rsa\)"):
        await pin_host_keys(tmp_path, "lab", [ours])

"""The host keys of a stack's machines: taken at the first contact, and held against what they show ever after."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import Refused, StepFailed
from tasks.adapters.ssh_keys import HostKey, read_host_key
from tasks.stack_files import changing, stack_folder, write_whole

_SSH_PORT = 22


@dataclass(frozen=True)
class SshPlace:
    """Where a machine's sshd is; `machine` is what people call it."""

    machine: str
    host: str
    port: int = _SSH_PORT

    @property
    def label(self) -> str:
        """The first word of its lines in a known_hosts file."""
        return self.host if self.port == _SSH_PORT else f"[{self.host}]:{self.port}"


def known_hosts_file(state: Path, stack: str) -> Path:
    """Return the file of a stack's host keys, as OpenSSH has them; it need not be there yet."""
    return stack_folder(state, stack) / "known_hosts"


async def pin_host_keys(state: Path, stack: str, places: Sequence[SshPlace]) -> Mapping[str, StepFailed]:
    """Note the keys of machines that were never met before; return the machines that don't answer, and why.

    All machines are asked at once. When one of them shows another key than it had, nothing is noted.

    Raises Refused (`host_key_changed`), naming all such machines.
    """
    path = known_hosts_file(state, stack)
    pinned = _read(path)
    answers = await asyncio.gather(*(_ask(place, pinned.get(place.label, [])) for place in places))
    shown = {place: key for place, key in zip(places, answers, strict=True) if isinstance(key, HostKey)}
    await asyncio.to_thread(_note, path, shown)
    return {
        place.machine: error for place, error in zip(places, answers, strict=True) if isinstance(error, StepFailed)
    }


async def _ask(place: SshPlace, pinned: list[HostKey]) -> HostKey | StepFailed:
    try:
        return await read_host_key(place.machine, place.host, place.port, pinned[0].kind if pinned else "")
    except StepFailed as error:
        return error


def _note(path: Path, shown: Mapping[SshPlace, HostKey]) -> None:
    with changing(path.parent):
        pinned = _read(path)
        changed = [
            _changed(place, pinned[place.label], key, path)
            for place, key in shown.items()
            if place.label in pinned and key not in pinned[place.label]
        ]
        if changed:
            raise Refused("\n".join(changed), reason="host_key_changed")
        added = {place.label: key for place, key in shown.items() if place.label not in pinned}
        if added:
            kept = path.read_text() if path.exists() else ""
            ended = kept if not kept or kept.endswith("\n") else f"{kept}\n"
            write_whole(path, ended + "".join(f"{label} {key}\n" for label, key in added.items()))


def _changed(place: SshPlace, pinned: list[HostKey], shown: HostKey, path: Path) -> str:
    known = " or ".join(f"{key.fingerprint} ({key.kind})" for key in pinned)
    return (
        f"{place.machine} ({place.host}:{place.port}) shows another host key than before: {shown.fingerprint}"
        f" ({shown.kind}), and not {known}. Either it was installed anew, or another machine answers in its place."
        " Compare with what `ssh-keygen -lf` says about the files /etc/ssh/ssh_host_*_key.pub on the machine's own"
        f" console. If it is right, delete the lines of {place.label} in {path}, and start again."
    )


def _read(path: Path) -> dict[str, list[HostKey]]:
    """Return the keys of a file of ours, by the label of their machine."""
    keys: dict[str, list[HostKey]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        words = line.split()
        if len(words) >= 3 and not line.startswith(("#", "@")):
            for label in words[0].split(","):
                keys.setdefault(label, []).append(HostKey(words[1], words[2]))
    return keys

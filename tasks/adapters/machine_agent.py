"""All that the installer does on a machine; sent along with each call, so it needs nothing there but Python 3.9.

    python3 -I -S -c LOADER LENGTH VERB

The program on stdin holds this module and its parts (machine_*.py); else they import the standard library only,
and of that only what python3-minimal has. That leaves json out, so the document that follows on stdin, and the
events on stdout, one a line, are Python literals:

    {"role": "backend", "resources": […], "state": "/var/lib/wod-installer"}
    {"key": "file /etc/wod/x", "event": "changed", "detail": "new", "seconds": 0.1}

The last event is `end`; where it is missing the agent was killed. A resource is read first, and changed only if
it is not as it should be, so `plan` is `apply` without the changes.

    begun     it is being changed            same      it is as it should be
    changed   it was changed, or would be    failed    it could not be
    unknown   it can't be told how it is     skipped   not looked at, as one before failed or is unknown
"""

from __future__ import annotations

import ast
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.adapters.machine_files import (
    file_change,
    folder_change,
    link_change,
    remove_file,
    remove_folder,
    remove_made_tree,
    tree_change,
)
from tasks.adapters.machine_notes import Notes, forget_machine, known_digest, lock
from tasks.adapters.machine_probe import read_facts
from tasks.adapters.machine_programs import (
    command_change,
    environment_change,
    remove_environment,
    undo_command,
)
from tasks.adapters.machine_services import remove_service, service_change, settle_services
from tasks.adapters.machine_system import account_change, keep_packages, packages_change, remove_account
from tasks.adapters.machine_tools import SYSTEM_PATH, Change, Failed, Removed, Unknown

CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any], Path], Any]] = {
    "packages": packages_change,
    "folder": folder_change,
    "file": file_change,
    "link": link_change,
    "account": account_change,
    "tree": tree_change,
    "environment": environment_change,
    "command": command_change,
}
REMOVALS: dict[str, Callable[[dict[str, Any], Path], Removed]] = {
    "packages": keep_packages,
    "folder": remove_folder,
    "file": remove_file,
    "link": remove_file,
    "account": remove_account,
    "tree": remove_made_tree,
    "environment": remove_environment,
    "command": undo_command,
    "service": remove_service,
}
LASTING = ("packages", "account", "command")  # stay, or what they did, until the whole role goes


class Stopped(Exception):
    """One resource failed, or is unknown, and was reported."""


class Work:
    """The work on one role: what it wants, what is noted on it, and how each resource is reported."""

    def __init__(self, document: Mapping[str, Any], is_dry: bool) -> None:
        self.wanted: dict[str, dict[str, Any]] = {each["key"]: each for each in document["resources"]}
        self.notes = Notes(Path(document["state"]), document["role"])
        self.is_dry = is_dry
        self.digests = dict(self.notes.digests())
        self.digests.update(
            (key, known_digest(each["digest"], self.notes.of(key))) for key, each in self.wanted.items()
        )

    def ensure_role(self) -> None:
        """Make everything so, in its order, and take off what the role no longer has."""
        dropped = [
            key for key, noted in self.notes.own.items() if key not in self.wanted and noted["kind"] not in LASTING
        ]
        dropped.reverse()
        places = {each.get("path") for each in self.wanted.values()} - {None}
        services = [key for key in dropped if self.notes.own[key]["kind"] == "service"]
        # Those that keep a place, or for which a service is restarted; what services run from goes last.
        first = [key for key in dropped if self._goes_first(self.notes.own[key], places) and key not in services]
        last = [key for key in dropped if key not in (*services, *first)]
        work: list[tuple[str, Callable[[str], None]]] = [(key, self.remove) for key in (*services, *first)]
        work += [(key, self.ensure) for key in self.wanted]
        work += [(key, self.remove) for key in last]
        kept = self._kept_services(services)
        self._do(work)
        if services and not self.is_dry:
            settle_services(kept)

    @staticmethod
    def _goes_first(noted: Mapping[str, Any], places: Collection[object]) -> bool:
        return noted["kind"] in ("file", "link") or noted.get("path") in places

    def undo_role(self) -> None:
        """Take everything off, in reverse order."""
        keys = list(self.notes.own)[::-1]
        services = [key for key in keys if self.notes.own[key]["kind"] == "service"]
        kept = self._kept_services(services)
        self._do([(key, self.remove) for key in keys])
        if services:
            settle_services(kept)

    def ensure(self, key: str) -> None:
        """Make one resource so."""
        wanted, started = self.wanted[key], time.monotonic()
        noted = self.notes.of(key)
        change: Change | None
        try:
            if wanted["kind"] == "service":
                change = service_change(wanted, noted, self.digests)
            else:
                change = CHANGES[wanted["kind"]](wanted, noted, self.notes.state)
        except Failed as failed:
            raise self._stopped(key, "failed", str(failed), started) from None
        except (OSError, UnicodeError, Unknown) as error:
            raise self._stopped(key, "unknown", str(error), started) from None
        if change is None:
            self._note(key, {"digest": wanted["digest"]})
            report(key, "same", "", started)
            return
        is_mended = noted.get("digest") == wanted["digest"]
        before = {**change.before, **({"mended": noted.get("mended", 0) + 1} if is_mended else {})}
        self.digests[key] = known_digest(wanted["digest"], {**noted, **before})
        if self.is_dry:
            report(key, "changed", change.detail, started)
        else:
            report(key, "begun", change.detail.partition("\n")[0], started)
            self._note(key, before)
            done = self._acted(key, change.act, started)
            self._note(key, {**(done or {}), "digest": wanted["digest"]})
            report(key, "changed", change.detail, started)

    def remove(self, key: str) -> None:
        """Take one resource off, unless another role of the machine has it."""
        started, noted = time.monotonic(), self.notes.own[key]
        if roles := self.notes.roles_with(key):
            if not self.is_dry:
                self.notes.drop(key)
            report(key, "same", f"stays, as {', '.join(roles)} has it", started)
        elif self.is_dry:
            report(key, "changed", "take off", started)
        else:
            report(key, "begun", "take off", started)
            removed = self._acted(key, lambda: REMOVALS[noted["kind"]](noted, self.notes.state), started)
            self.notes.drop(key)
            report(key, "changed" if removed.is_changed else "same", removed.detail, started)

    def _note(self, key: str, values: Mapping[str, Any]) -> None:
        if not self.is_dry:
            wanted = self.wanted[key]
            place: dict[str, Any] = {name: wanted[name] for name in ("kind", "path", "name") if name in wanted}
            self.notes.put(key, {**place, **values})

    def _kept_services(self, keys: list[str]) -> list[dict[str, Any]]:
        noted = {key: self.notes.own[key] for key in keys}
        return [each for key, each in noted.items() if each.get("was_active") or self.notes.roles_with(key)]

    def _acted(self, key: str, act: Callable[[], Any], started: float) -> Any:
        try:
            return act()
        except Failed as failed:
            raise self._stopped(key, "failed", str(failed), started) from None
        except Unknown as unknown:
            raise self._stopped(key, "unknown", str(unknown), started) from None
        except OSError as error:
            why = f"{error.strerror}: {error.filename or key}."
            raise self._stopped(key, "failed", why, started) from None

    def _stopped(self, key: str, event: str, detail: str, started: float) -> Stopped:
        report(key, event, detail, started)
        return Stopped(key)

    def _do(self, work: Sequence[tuple[str, Callable[[str], None]]]) -> None:
        for place, (key, step) in enumerate(work):
            try:
                step(key)
            except Stopped:
                for left, _ in work[place + 1 :]:
                    report(left, "skipped", f"because of {key}", time.monotonic())
                raise


def report(key: str, event: str, detail: str, started: float) -> None:
    """Tell how it goes with one resource."""
    say({"key": key, "event": event, "detail": detail, "seconds": round(time.monotonic() - started, 3)})


def say(values: Mapping[str, Any]) -> None:
    """Write one event."""
    print(ascii(values), flush=True)  # noqa: T201


def do(verb: str, document: Mapping[str, Any]) -> None:
    """Do what `verb` says; what fails is reported."""
    started = time.monotonic()
    if os.geteuid():
        report("machine", "failed", "The installer works as root there: let its account use sudo.", started)
        return
    try:
        if verb != "plan":
            waiting = "wait for another installer"
            lock(Path(document["state"]), lambda: report("machine", "begun", waiting, started))
        work = Work(document, is_dry=verb == "plan")
    except (Failed, Unknown) as trouble:
        report("machine", "unknown" if isinstance(trouble, Unknown) else "failed", str(trouble), started)
        return
    try:
        if verb == "undo":
            work.undo_role()
            if not work.notes.others:
                forget_machine(Path(document["state"]))
        else:
            work.ensure_role()
    except Stopped:
        pass
    except (Failed, Unknown) as trouble:
        report("services", "failed", str(trouble), started)


def main(verb: str) -> int:
    """Do what the command line says, and return the exit status."""
    os.environ["PATH"] = SYSTEM_PATH
    os.umask(0o022)
    if verb == "facts":
        say({"event": "facts", "values": read_facts()})
    else:
        do(verb, ast.literal_eval(sys.stdin.read()))
    say({"event": "end"})
    return 0

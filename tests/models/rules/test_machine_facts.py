"""Which machines can be made part of a platform, and what is said about the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.errors import Severity
from models.rules.machine_facts import Facts, Listener, Needs, Unknown, problems

GOOD = Facts(
    distribution="debian",
    version="12",
    architecture="x86_64",
    python="3.11.2",
    is_root=True,
    systemd="running",
    free_mb={"/": 20_000, "/var": 20_000, "/opt": 20_000},
    memory_mb=8192,
    cpus=4,
    listeners=(Listener(22, "ssh.service"), Listener(8010, "wod-hub.service"), Listener(25)),
    addresses=("10.0.0.1",),
    clock_offset_seconds=0.2,
    apt_lock_holder=None,
)
NEEDS = Needs(ports={8010: ("wod-hub.service", "wod-proxy.service")}, free_mb={"/opt": 4000}, memory_mb=2048)


def test_a_good_machine_has_no_problems() -> None:
    assert problems("be1", GOOD, NEEDS) == []


@pytest.mark.parametrize(
    ("facts", "severity", "told"),
    [
        ({"distribution": "debian", "version": "11"}, "error", "debian 11"),
        ({"distribution": "ubuntu", "version": "12"}, "error", "ubuntu 12"),
        ({"distribution": None, "version": None}, "error", "an unnamed system."),
        ({"distribution": "ubuntu", "version": "24.04", "architecture": "i686"}, "error", "i686"),
        ({"python": "3.9.2"}, "error", "3.9.2"),
        ({"is_root": False}, "error", "sudo without a password"),
        ({"systemd": None}, "error", "not running"),
        ({"systemd": "offline"}, "error", "offline"),
        ({"systemd": "degraded"}, "warning", "have failed"),
        ({"free_mb": {"/": 20_000, "/opt": 3999}}, "error", "3999 MB are free on the disk of /opt; 4000 MB"),
        ({"memory_mb": 1024}, "warning", "1024 MB of memory"),
        ({"listeners": (Listener(8010, "nginx.service"),)}, "error", "8010 is taken by nginx.service"),
        ({"listeners": (Listener(8010),)}, "error", "8010 is taken by a process that is no unit"),
        ({"clock_offset_seconds": 90.0}, "error", "90 seconds ahead"),
        ({"clock_offset_seconds": -90.0}, "error", "90 seconds behind"),
        ({"apt_lock_holder": 123}, "warning", "Process 123"),
        ({"memory_mb": Unknown("no such file")}, "error", "memory_mb can't be told: no such file"),
        ({"distribution": Unknown("no such file")}, "error", "distribution can't be told"),
        ({"listeners": Unknown("it is denied")}, "error", "listeners can't be told: it is denied"),
    ],
)
def test_what_is_wrong_with_a_machine_is_told_once(facts: dict[str, object], severity: str, told: str) -> None:
    found = problems("be1", replace(GOOD, **facts), NEEDS)  # type: ignore[arg-type]
    assert [(problem.path, problem.severity) for problem in found] == [("be1", Severity(severity))]
    assert told in f"{found[0]}"
    assert found[0].field in vars(GOOD)


def test_everything_wrong_is_told_at_once() -> None:
    facts = replace(GOOD, version="11", python="3.9.2", is_root=False, free_mb={"/opt": 1})
    assert len(problems("be1", facts, NEEDS)) == 4


@pytest.mark.parametrize("listeners", [(), (Listener(8010, "wod-proxy.service"),), (Listener(9999, "x.service"),)])
def test_ports_of_our_own_and_of_nobodys_interest_are_no_problem(listeners: tuple[Listener, ...]) -> None:
    assert problems("be1", replace(GOOD, listeners=listeners), NEEDS) == []

"""Base trees of the machines that tests boot: a bare system each, made once by debootstrap."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("WOD_HOME", ROOT / ".wod")) / "machines"
# A folder of ready trees, base-<suite>. Taken out of the environment, where the platform would refuse it.
GIVEN_BASES = os.environ.pop("WOD_TEST_MACHINE_BASES", "")

DISTRIBUTIONS = {"bookworm": "debian", "trixie": "debian", "noble": "ubuntu"}
_TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
# What cloud images have, as far as the platform's work on a machine may lean on it.
_PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3-minimal,ca-certificates,iproute2"
_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def missing_tools() -> str:
    """Install the tools that boot machines where they are missing; return why that can't be, or nothing."""
    if os.geteuid() != 0:
        return "only root can boot machines"
    wanted = sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool, path=_PATH)})
    if not wanted:
        return ""
    if not shutil.which("apt-get"):
        return f"{', '.join(wanted)} must be installed, and this machine has no apt-get"
    try:
        call("apt-get", "update", "-q")
        call("apt-get", "install", "-q", "-y", "--no-install-recommends", *wanted)
    except subprocess.CalledProcessError as error:
        return f"{', '.join(wanted)} can't be installed: {error.stderr[-300:]}"
    return ""


def base_tree(suite: str) -> Path:
    """Return the tree of a bare `suite`, made now if there is none yet; skip the test where it can't be had."""
    given = Path(GIVEN_BASES) / f"base-{suite}"
    if GIVEN_BASES and given.is_dir():
        return given
    tree, aside = CACHE / f"base-{suite}", CACHE / f".new-{suite}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f".lock-{suite}"):
        if tree.is_dir():
            return tree
        sources = _sources(suite)
        mirror = next((line.split()[1] for line in sources if line.split()[2] == suite), "")
        if not mirror:
            pytest.skip(f"this machine's apt sources name no mirror that has {suite}")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, aside, mirror)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no tree of {suite} can be made here: {error.stdout[-300:]}{error.stderr[-300:]}")
        (aside / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in sources))
        trust_as_here(aside)
        shutil.rmtree(aside / "var/cache/apt/archives", ignore_errors=True)
        (aside / "var/cache/apt/archives/partial").mkdir(parents=True)
        return aside.rename(tree)


def trust_as_here(root: Path) -> None:
    """Let the system in `root` trust the certificate authorities that this machine trusts."""
    theirs = set(_CERTIFICATE.findall((root / _BUNDLE).read_text()))
    ours = _CERTIFICATE.findall((Path("/") / _BUNDLE).read_text())
    missing = [certificate for certificate in ours if certificate not in theirs]
    for number, certificate in enumerate(missing):
        path = root / f"usr/local/share/ca-certificates/host-{number}.crt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{certificate}\n")
    if missing:
        call("chroot", root, "update-ca-certificates")


def call(*argv: str | Path) -> str:
    """Run a command that must succeed; return what it writes. Raises CalledProcessError, which holds the same."""
    environment = {**os.environ, "PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        [str(word) for word in argv],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
    ).stdout


@contextmanager
def locked(path: Path, *, is_awaited: bool = True) -> Iterator[None]:
    """Hold the lock `path`, which ends with this process at the latest; BlockingIOError when it isn't awaited."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if is_awaited else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _sources(suite: str) -> list[str]:
    """Return this machine's apt sources for another suite of the same distribution, one a line."""
    release = dict(
        line.replace('"', "").split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    here = release.get("VERSION_CODENAME", "")
    if DISTRIBUTIONS[suite] != release["ID"] or not here:
        return []
    listed = call(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    kinds = {here: suite, **{f"{here}-{kind}": f"{suite}-{kind}" for kind in ("updates", "security")}}
    found = [line.split() for line in dict.fromkeys(listed.splitlines())]
    return [f"deb {uri} {kinds[name]} {component}" for uri, name, component in found if name in kinds]

"""A backend for tests on a machine of its own: a hub behind https whose servers are units of systemd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hub_process import CONFIGURATION, MADE, PROXY_TOKEN, TOKEN
from machines import RunningMachine

from tasks.adapters.certificates import issue, new_authority
from tasks.seats import seat_agent_program

PORT, HUB_PORT, PROXY_API_PORT = 8010, 9104, 9105
HOMES = Path("/student")
# No seat on this box has these numbers: ending a seat's processes ends all of its number, in machines, too.
UID_BASE, LOGIN_UID = 52000, 54322
SEAT_AGENT = Path("/usr/local/lib/wod/seat-agent")
# Of the systems that can be booted, the one whose Python is that of the hub's environment here.
SUITE = {(3, 11): "bookworm", (3, 12): "noble", (3, 13): "trixie"}.get(sys.version_info[:2], "")

_SERVICES = {
    "proxy": "Environment=CONFIGPROXY_AUTH_TOKEN={proxy_token}\n"
    "ExecStart=/opt/wod/proxy/node /opt/wod/proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    " --ip 0.0.0.0 --port {port} --ssl-key /etc/wod/key.pem --ssl-cert /etc/wod/certificate.pem"
    " --api-ip 127.0.0.1 --api-port {api_port} --default-target http://127.0.0.1:{hub_port}"
    " --error-target http://127.0.0.1:{hub_port}/hub/error",
    "hub": "{environment}\nKillMode=process\nStateDirectory=wod-hub\n"
    "ExecStart=/opt/wod/hub/bin/python -m jupyterhub -f /opt/wod/hub-config/jupyterhub_config.py",
}


class RemoteHub:
    """A machine that is made into a backend; `url` is the hub's address, whose certificate is of `ca_file`."""

    def __init__(self, machine: RunningMachine, folder: Path) -> None:
        self.machine, self.root = machine, machine.root
        self.url = f"https://{machine.name}:{PORT}"
        self.ca_file = folder / "authority.pem"
        self._authority = new_authority("tests", datetime.now(UTC))
        self.ca_file.write_text(self._authority.chain)

    def install(self) -> None:
        """Put what a hub needs on the machine: its environment is copied, which takes most of the time."""
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        options = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        self.machine.run([*apt, "update"], env=options)
        self.machine.run([*apt, "install", "--no-install-recommends", "python3"], env=options)
        programs = self.root / "opt/wod"
        (programs / "proxy").mkdir(parents=True)
        subprocess.run(["cp", "-a", MADE / "hub-env", programs / "hub"], check=True)
        subprocess.run(["cp", "-a", MADE / "proxy/node_modules", programs / "proxy"], check=True)
        shutil.copy(MADE / "proxy/node", programs / "proxy/node")
        shutil.copytree(CONFIGURATION, programs / "hub-config", ignore=shutil.ignore_patterns("__pycache__"))
        agent = self.root / SEAT_AGENT.relative_to("/")
        agent.parent.mkdir(parents=True, exist_ok=True)
        agent.write_bytes(seat_agent_program())
        agent.chmod(0o755)

    def start(self, token: str = TOKEN, **environment: object) -> None:
        """Start proxy and hub anew; `environment` are further variables of the hub's configuration."""
        secrets = self.root / "etc/wod/hub"
        secrets.mkdir(parents=True, mode=0o700, exist_ok=True)
        (secrets / "wod_hub_token").write_text(token)
        (secrets / "wod_proxy_token").write_text(PROXY_TOKEN)
        key, chain = issue(self._authority, [self.machine.name, self.machine.address], datetime.now(UTC))
        (secrets.parent / "key.pem").write_text(key)
        (secrets.parent / "certificate.pem").write_text(chain)
        known = {
            "HUB_BIND_URL": f"https://:{PORT}",
            "HUB_API_URL": f"http://127.0.0.1:{HUB_PORT}",
            "HUB_PROXY_API_URL": f"http://127.0.0.1:{PROXY_API_PORT}",
            "HUB_STATE_DIR": "/var/lib/wod-hub",
            "HUB_SECRETS_DIR": "/etc/wod/hub",
            "HUB_HOMES": HOMES,
            "HUB_ISOLATION": "accounts",
            "HUB_SPAWNER": "systemd",
            "LANG": "C.UTF-8",
            "A_SECRET_OF_THE_HUB": "nothing for students",
        }
        lines = [f'Environment="{name}={value}"' for name, value in (known | environment).items()]
        for name, text in _SERVICES.items():
            filled = text.format(
                environment="\n".join(lines),
                proxy_token=PROXY_TOKEN,
                port=PORT,
                hub_port=HUB_PORT,
                api_port=PROXY_API_PORT,
            )
            unit = self.root / f"etc/systemd/system/wod-{name}.service"
            unit.write_text(f"[Service]\nRestart=always\nRestartSec=1\n{filled}\n")
        self.machine.run(["systemctl", "daemon-reload"])
        self.machine.run(["systemctl", "stop", "wod-hub"])
        self.machine.run(["rm", "-rf", "/var/lib/wod-hub"])
        self.machine.run(["systemctl", "restart", "wod-proxy", "wod-hub"])

    def let_in(self, account: str) -> None:
        """Make an account that the platform may log in as, and that sudo lets run the seat agent alone."""
        home = self.root / "home" / account
        self.machine.run(["useradd", "--create-home", "--uid", str(LOGIN_UID), "--shell", "/bin/sh", account])
        keys = home / ".ssh/authorized_keys"
        keys.parent.mkdir(mode=0o700)
        keys.write_bytes(self.machine.key.with_suffix(".pub").read_bytes())
        self.machine.run(["chown", "-R", f"{account}:", f"/home/{account}/.ssh"])
        rule = self.root / "etc/sudoers.d/wod"
        rule.write_text(f"{account} ALL=(root) NOPASSWD: {SEAT_AGENT}\n")
        rule.chmod(0o440)

    def properties(self, account: str, *names: str) -> dict[str, str]:
        """Return properties of the unit of a seat's server."""
        unit = f"jupyter-{account}-singleuser"
        shown = self.machine.run(["systemctl", "show", unit, *(f"--property={name}" for name in names)])
        return dict(line.split("=", 1) for line in shown.stdout.splitlines())

    def log(self) -> str:
        """Return what the hub has logged, and systemd about it and the students' servers."""
        units = ["--unit", "wod-hub", "--unit", "jupyter-*"]
        return self.machine.run(["journalctl", *units, "--output", "short-iso"]).stdout


def skip_unless_possible() -> None:
    if not SUITE:
        pytest.skip("no machine can be booted whose Python is that of the hub's environment")
    if not (MADE / "hub-env/bin/jupyterhub").exists() or not (MADE / "proxy/node").exists():
        pytest.skip("the hub's environment or its proxy is not made")

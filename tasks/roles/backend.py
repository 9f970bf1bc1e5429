"""A backend: JupyterHub behind its proxy, the seats' way in for the engine, and the mail relay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from models.resources import Account, Command, Environment, File, Folder, Packages, Resource, Service, Tree
from models.rules.inner_ports import HUB_PORT, PROXY_API_PORT, PROXY_PORT
from models.stack_entries import BackendEntry
from tasks.roles.context import (
    CA_BUNDLE,
    CONFIGURATION,
    PROGRAMS,
    SECRETS,
    RoleContext,
    certificate_files,
)
from tasks.roles.https import Site, gate
from tasks.roles.sshd import seat_prefix, sshd_rules
from tasks.roles.templates import fill
from tasks.roles.way_in import HOMES, homes_of_seats, way_into_backend, way_to_appliances

# What students find besides Python, and what turns their notebooks into documents.
_FOR_STUDENTS = ("curl", "git", "less", "nano", "openssh-client", "pandoc", "tree", "unzip", "vim-tiny")
_UNITS = "/etc/systemd/system"
_PROXY_WHY = "The proxy serves the hub by https, and students work on while the hub restarts."


def backend(context: RoleContext, machine: str) -> list[Resource]:
    """Return what a backend gets."""
    entry = next(each for each in context.stack.backends if each.machine == machine)
    return [
        *_mail_relay(context, entry),
        *way_into_backend(context, machine),
        *way_to_appliances(context),
        *_hub_programs(context),
        *(_proxy_behind_caddy(context, entry) if _uses_caddy(context) else _proxy(context, entry)),
        *_hub(context, entry),
        *_guards(entry),
        # A machine that is an appliance, too, has that role's rules.
        *([] if "appliance" in context.stack.roles_of(machine) else _no_ssh_for_students(context)),
    ]


def _mail_relay(context: RoleContext, entry: BackendEntry) -> list[Resource]:
    mail, why = context.stack.mail, "Postfix takes the platform's mail on its own port and hands it on."
    senders = context.addresses_of([context.stack.api.machine])
    configuration = fill(
        "backend/main.cf",
        machine=entry.machine,
        relay_port=mail.relay_port,
        smart_host=_bracketed(mail.smart_host),
        senders=[*senders["ip"], *(f"[{address}]" for address in senders["ip6"])],
    )
    port = str(mail.relay_port)
    listen = ("postconf", "-M", f"{port}/inet={port} inet n - y - - smtpd")
    return [
        # Before its package, which leaves a configuration that it finds as it is, and never opens port 25.
        Folder("/etc/postfix", why=why),
        File("/etc/postfix/main.cf", configuration, why=why),
        Packages(
            ("postfix", *_FOR_STUDENTS, *(("caddy",) if _uses_caddy(context) else ())),
            why="The mail relay, and what students use besides Python.",
        ),
        # The stack's own in any case: nobody else speaks to the relay.
        *certificate_files(
            context.secrets.certificates[entry.machine], f"{CONFIGURATION}/postfix", "postfix", why=why
        ),
        Command("postfix: the relay's port", listen, stamp="1", why=why),
        Command("postfix: no port 25", ("postconf", "-MX", "smtp/inet"), stamp="1", why=why),
        Service(
            "postfix",
            restart_on=(
                "file /etc/postfix/main.cf",
                "command postfix: the relay's port",
                "command postfix: no port 25",
                f"file {CONFIGURATION}/postfix/certificate.pem",
            ),
            why=why,
        ),
    ]


def _hub_programs(context: RoleContext) -> list[Resource]:
    release, why = context.release, "JupyterHub, JupyterLab and the kernels that notebooks run in."
    proxy_why = "The proxy that students' connections go through, and the Node.js that runs it."
    proxy_digest = hashlib.sha256(release.proxy).hexdigest()
    return [
        Environment(
            f"{PROGRAMS}/hub",
            lock=release.hub_lock,
            uv_lock=release.uv_lock,
            after=(
                ("{path}/bin/python", "-m", "bash_kernel.install", "--sys-prefix"),
                ("{path}/bin/python", "-m", "sshkernel", "install", "--sys-prefix"),
            ),
            why=why,
        ),
        Tree(f"{PROGRAMS}/hub-config", release.hub, why="The hub's configuration, the same as in a rehearsal."),
        Tree(f"{PROGRAMS}/proxy-lock", release.proxy, why=proxy_why),
        Environment(
            f"{PROGRAMS}/node",
            lock=release.node_lock,
            uv_lock=release.uv_lock,
            after=(("sh", "-euc", fill("backend/proxy.sh").decode(), "proxy", "{path}", proxy_digest),),
            why=proxy_why,
        ),
    ]


def _uses_caddy(context: RoleContext) -> bool:
    """Whether the hub's proxy, which gets no certificates itself, stands behind one that does."""
    return context.stack.certificates.source == "acme"


def _proxy_behind_caddy(context: RoleContext, entry: BackendEntry) -> list[Resource]:
    external = context.stack.url("hub", entry.machine)
    site = Site("https", entry.port, external, f"127.0.0.1:{PROXY_PORT}")
    arguments = ("--no-x-forward", "--ip", "127.0.0.1", "--port", str(PROXY_PORT))
    return [
        *_proxy_service(context, entry, arguments, ()),
        *gate(context, entry.machine, "gate-hub", [site], what="hub"),
    ]


def _proxy(context: RoleContext, entry: BackendEntry) -> list[Resource]:
    folder = f"{CONFIGURATION}/proxy"
    arguments = (
        *("--ip", "0.0.0.0", "--port", str(entry.port)),  # noqa: S104  (the students' way in)
        *("--ssl-key", f"{folder}/key.pem", "--ssl-cert", f"{folder}/certificate.pem"),
    )
    files = certificate_files(context.certificates[entry.machine], folder, "wod-proxy", why=_PROXY_WHY)
    return _proxy_service(context, entry, arguments, files)


def _proxy_service(
    context: RoleContext, entry: BackendEntry, arguments: Sequence[str], files: Sequence[Folder | File]
) -> list[Resource]:
    token = context.secrets.proxy_tokens[entry.machine]
    unit = fill(
        "backend/wod-proxy.service",
        arguments=" ".join(arguments),
        api_port=PROXY_API_PORT,
        hub_port=HUB_PORT,
        is_low_port=entry.port < 1024,
    )
    return [
        Account("wod-proxy", home="/var/lib/wod-proxy", why="The proxy's own account."),
        *files,
        File(
            f"{SECRETS}/proxy.env",
            f"CONFIGPROXY_AUTH_TOKEN={token}\n".encode(),
            mode=0o600,
            is_secret=True,
            why="Known to the proxy and the hub alone, so that nobody else turns students' ways.",
        ),
        File(f"{_UNITS}/wod-proxy.service", unit, why=_PROXY_WHY),
        Service(
            "wod-proxy",
            restart_on=(
                f"file {_UNITS}/wod-proxy.service",
                f"file {SECRETS}/proxy.env",
                *(each.key for each in files if each.key.endswith("certificate.pem")),
                f"environment {PROGRAMS}/node",
            ),
            why=_PROXY_WHY,
        ),
    ]


def _hub(context: RoleContext, entry: BackendEntry) -> list[Resource]:
    why, folder = "JupyterHub lets students in and starts their servers.", f"{SECRETS}/hub"
    secrets = {
        "wod_hub_token": context.secrets.hub_token(entry.machine),
        "wod_proxy_token": context.secrets.proxy_tokens[entry.machine],
        "wod_hub_cookie_secret": context.secrets.hub_cookie_secrets[entry.machine],
    }
    environment = {
        "HUB_BIND_URL": f"https://:{entry.port}",
        "HUB_API_URL": f"http://127.0.0.1:{HUB_PORT}",
        "HUB_PROXY_API_URL": f"http://127.0.0.1:{PROXY_API_PORT}",
        "HUB_STATE_DIR": "/var/lib/wod-hub",
        "HUB_SECRETS_DIR": folder,
        "HUB_HOMES": HOMES,
        "HUB_ISOLATION": "accounts",
        "HUB_SPAWNER": "systemd",
        "HUB_SEAT_MEMORY_MB": entry.seat_memory_mb,
        "HUB_SEAT_CPUS": entry.seat_cpus,
        "HUB_IDLE_MINUTES": 60,
        "SSL_CERT_FILE": CA_BUNDLE,
        "LANG": "C.UTF-8",
    }
    lines = [f"{name}={value}" for name, value in environment.items()]
    return [
        Folder(folder, mode=0o700, why=why),
        *(
            File(f"{folder}/{name}", value.encode(), mode=0o600, is_secret=True, why=why)
            for name, value in secrets.items()
        ),
        homes_of_seats(),
        File(f"{_UNITS}/wod-hub.service", fill("backend/wod-hub.service", environment=lines), why=why),
        Service(
            "wod-hub",
            restart_on=(
                f"file {_UNITS}/wod-hub.service",
                *(f"file {folder}/{name}" for name in secrets),
                f"environment {PROGRAMS}/hub",
                f"tree {PROGRAMS}/hub-config",
            ),
            why=why,
        ),
    ]


def _no_ssh_for_students(context: RoleContext) -> list[Resource]:
    rules = fill("backend/sshd.conf", prefix=seat_prefix(context))
    return sshd_rules(rules, why="Students work through the hub alone, where their seats have limits.")


def _guards(entry: BackendEntry) -> list[Resource]:
    jail, filter_ = "/etc/fail2ban/jail.d/wod-hub.local", "/etc/fail2ban/filter.d/wod-hub.conf"
    why = "Keeps those out for a while who try passwords at the hub."
    return [
        File(filter_, fill("backend/fail2ban-hub-filter.conf"), why=why),
        File(jail, fill("backend/fail2ban-hub.local", port=entry.port), why=why),
        Service("fail2ban", reload_on=(f"file {filter_}", f"file {jail}"), why=why),
    ]


def _bracketed(smart_host: str) -> str:
    """Return `host:port` as Postfix wants a host that is no mail domain: `[host]:port`."""
    host, _, port = smart_host.rpartition(":")
    return f"[{host.strip('[]')}]:{port}" if smart_host else ""

"""The API and database machine: PostgreSQL, the API, the Prefect server and the engine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from models.resources import Account, Command, File, Folder, Link, Packages, Resource, Service, Tree
from models.rules.inner_ports import API_PORT, PREFECT_PORT
from tasks.roles.context import CA_BUNDLE, CONFIGURATION, OWN_PROGRAMS, PROGRAMS, SECRETS, RoleContext
from tasks.roles.https import Site, gate
from tasks.roles.prefect_server import PREFECT_SERVER
from tasks.roles.programs import PLATFORM, PROGRAM_KEYS, PYTHON, platform_programs
from tasks.roles.templates import fill
from tasks.roles.way_in import HOMES, SEAT_AGENT, SEAT_UID_BASE

STATE = "/var/lib/wod"
BACKUPS = "/var/backups/wod"
_WORKSHOPS = f"{PROGRAMS}/workshops"
_UNITS = "/etc/systemd/system"
_DATABASE_URL = "postgresql:///wod?host=/var/run/postgresql"
_SETTINGS = f"{STATE}/settings.toml"
_BACKENDS = f"{CONFIGURATION}/backends.yaml"
# The major version of PostgreSQL that each release brings.
_POSTGRESQL = {("debian", "12"): "15", ("debian", "13"): "17", ("ubuntu", "24.04"): "16"}
_SERVICES = ("prefect", "engine", "api")


def api_db(context: RoleContext, machine: str) -> list[Resource]:
    """Return what the API and database machine gets."""
    packages = ("caddy", "git", "postgresql")
    return [
        Packages(packages, why="The database, Caddy for https, and git for catalogs of workshops."),
        *platform_programs(context),
        *(
            Account(f"wod-{name}", home=f"/var/lib/wod-{name}", why="Each service has an account of its own.")
            for name in _SERVICES
        ),
        *_database(context, machine),
        *_settings(context),
        *_secrets(context),
        *_services(context),
        *_workshops(context),
        _commands(),
        *_backup(context),
        *gate(context, machine, "gate-api", _sites(context), what="API and Prefect's pages"),
    ]


def _database(context: RoleContext, machine: str) -> list[Resource]:
    why = "PostgreSQL holds all that the platform knows; services log in as the account that they are."
    version = _POSTGRESQL[context.releases[machine]]
    # Apart from each other: a change of the first interrupts everybody, one of the second nobody.
    started_with, logged_by = (
        f"/etc/postgresql/{version}/main/conf.d/{name}" for name in ("wod.conf", "wod_log.conf")
    )
    statements = fill("api_db/databases.sql")
    tables = (PYTHON, "-m", "models.store.migrate")
    made_of = hashlib.sha256(context.release.platform).hexdigest()
    psql = ("psql", "--no-psqlrc", "--quiet", "--dbname", "postgres")
    return [
        File(started_with, fill("api_db/postgresql.conf"), why=why),
        File(logged_by, fill("api_db/postgresql_log.conf"), why=why),
        Service(
            f"postgresql@{version}-main",
            restart_on=(f"file {started_with}",),
            reload_on=(f"file {logged_by}",),
            why=why,
        ),
        Command(
            "database: roles and databases",
            psql,
            stamp=hashlib.sha256(statements).hexdigest(),
            stdin=statements,
            user="postgres",
            why=why,
        ),
        Command(
            "database: tables",
            tables,
            stamp=made_of,
            user="wod-engine",
            environment={"WOD_DATABASE_URL": _DATABASE_URL},
            folder=PLATFORM,
            why="The tables of this release; those of earlier ones are migrated.",
        ),
    ]


def _settings(context: RoleContext) -> list[Resource]:
    why = "The platform's settings, as docs/settings.md lists them."
    shared = {
        "backends_file": _BACKENDS,
        "catalog_url": context.stack.url("catalog"),
        "api_url": context.stack.url("api"),
        "smtp_host": context.stack.backends[0].machine,
        "smtp_port": context.stack.mail.relay_port,
        "smtp_encryption": "starttls",
        "mail_sender": context.stack.mail.sender,
        "ssh_known_hosts_file": f"{CONFIGURATION}/known_hosts",
        **context.stack.settings,
        "trusted_proxies": [*context.frontend_addresses, *context.proxies_of_operator],
    }
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in sorted(shared.items()))
    return [
        Folder(STATE, group="wod-engine", mode=0o775, why=why),
        Folder(
            f"{STATE}/archives",
            owner="wod-engine",
            group="wod-api",
            mode=0o2750,
            why="Students' work, kept for download for as long as `archive_days` says.",
        ),
        File(f"{CONFIGURATION}/settings.toml", text.encode(), why=why),
        Link(_SETTINGS, f"{CONFIGURATION}/settings.toml", why=why),
        File(_BACKENDS, _backends(context), why="Where the backends are, and how many seats each has."),
        File(
            f"{CONFIGURATION}/known_hosts",
            context.known_hosts.encode(),
            why="The backends' own ssh keys, pinned when they were first met.",
        ),
    ]


def _backends(context: RoleContext) -> bytes:
    stack = context.stack
    listed: list[dict[str, Any]] = []
    for each in stack.backends:
        login = f"{stack.management_user}@{stack.address(each.machine)}:{stack.ssh_login(each.machine).port}"
        listed.append(
            {
                "name": each.machine,
                "number": each.number,
                "hub_url": stack.url("hub", each.machine),
                "hub_api_url": stack.url("hub", each.machine, "internal"),
                "machine": login,
                "seats": each.seats,
                "homes": HOMES,
                "isolation": "accounts",
                "uid_base": SEAT_UID_BASE,
                "seat_agent": SEAT_AGENT,
            }
        )
    return json.dumps({"backends": listed}, indent=2).encode() + b"\n"


def _secrets(context: RoleContext) -> list[Resource]:
    secrets, why = context.secrets, "Handed to its service by systemd when it starts."
    login = f"admin:{secrets.prefect_password}"
    files = {
        "wod_hub_token": secrets.hub_master_token,
        "wod_password_key": secrets.password_key,
        "wod_link_key": secrets.link_key,
        "engine_key": secrets.engine_ssh_private_key,
        "prefect.env": f"PREFECT_SERVER_API_AUTH_STRING={login}\n",
        "prefect-client.env": f"PREFECT_API_AUTH_STRING={login}\n",
    }
    return [
        File(f"{SECRETS}/{name}", text.encode(), mode=0o600, is_secret=True, why=why)
        for name, text in files.items()
    ]


def _services(context: RoleContext) -> list[Resource]:
    environment = [
        f"WOD_STATE={STATE}",
        f"WOD_DATABASE_URL={_DATABASE_URL}",
        f"PYTHONPATH={PLATFORM}",
        f"SSL_CERT_FILE={CA_BUNDLE}",
        "MALLOC_ARENA_MAX=2",
    ]
    units = {
        "prefect": fill(
            "api_db/wod-prefect.service",
            prefect_url=context.stack.url("prefect"),
            port=PREFECT_PORT,
            environment=PREFECT_SERVER,
        ),
        "engine": fill("api_db/wod-engine.service", platform_environment=environment, prefect_port=PREFECT_PORT),
        "api": fill("api_db/wod-api.service", platform_environment=environment, port=API_PORT),
    }
    settings = (f"file {CONFIGURATION}/settings.toml",)
    engine = (f"file {_BACKENDS}", f"file {CONFIGURATION}/known_hosts")
    secrets = ("wod_hub_token", "wod_password_key", "wod_link_key", "engine_key", "prefect-client.env")
    restart_on = {
        "prefect": (f"file {SECRETS}/prefect.env", PROGRAM_KEYS[1]),
        "engine": (*settings, *engine, *(f"file {SECRETS}/{name}" for name in secrets), *PROGRAM_KEYS),
        "api": (*settings, f"file {SECRETS}/wod_link_key", *PROGRAM_KEYS),
    }
    why = {
        "prefect": "Prefect shows operators each booking and installation as a run.",
        "engine": "The engine prepares seats, sends mails and ends sessions.",
        "api": "The API takes bookings.",
    }
    found: list[Resource] = []
    for name, unit in units.items():
        path = f"{_UNITS}/wod-{name}.service"
        found += [
            File(path, unit, why=why[name]),
            Service(f"wod-{name}", restart_on=(f"file {path}", *restart_on[name]), why=why[name]),
        ]
    return found


def _workshops(context: RoleContext) -> list[Resource]:
    why = "Takes the workshops into the catalog, the samples when the stack names none."
    packed = context.workshops
    places = {each: f"{_WORKSHOPS}/{Path(each).name}" for each in packed}
    trees = [Tree(places[each], archive, why=why) for each, archive in packed.items()]
    sources = [places.get(each, each) for each in context.stack.workshops]
    return [
        *([Folder(_WORKSHOPS, why=why)] if trees else []),
        *trees,
        *(
            Command(
                f"workshops of {source}",
                (PYTHON, "-m", "ui.cli.main", "catalog", "sync", source),
                stamp=_digest(context.release.platform, *(each.archive for each in trees if each.path == source)),
                user="wod-engine",
                environment={
                    "WOD_STATE": STATE,
                    "WOD_DATABASE_URL": _DATABASE_URL,
                    "SSL_CERT_FILE": CA_BUNDLE,
                    "HOME": "/var/lib/wod-engine",
                },
                folder=PLATFORM,
                why=why,
            )
            for source in sources or [f"{PLATFORM}/deployments/workshops"]
        ),
    ]


def _commands() -> Resource:
    environment = (f"WOD_STATE={STATE}", f"WOD_DATABASE_URL={_DATABASE_URL}", "HOME=/var/lib/wod-engine")
    script = fill("api_db/wod.sh", platform=PLATFORM, python=PYTHON, environment=environment)
    why = "Users, keys of partners, students to forget, feedback: `sudo wod user list`."
    return File("/usr/local/sbin/wod", script, mode=0o755, why=why)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in parts)).hexdigest()


def _backup(context: RoleContext) -> list[Resource]:
    why, restoring = "Saves the database every night.", "Puts a backup in the place of the database, when told to."
    backup = context.stack.backup
    script = fill("api_db/backup.sh", backups=BACKUPS, keep_days=backup.keep_days)
    restored_url = _DATABASE_URL.replace("wod?", "wod_restored?")
    restore = fill(
        "api_db/restore.sh", backups=BACKUPS, platform=PLATFORM, python=PYTHON, restored_url=restored_url
    )
    timer = f"{_UNITS}/wod-backup.timer"
    return [
        Folder(BACKUPS, owner="postgres", group="postgres", mode=0o700, why=why),
        File(f"{OWN_PROGRAMS}/backup", script, mode=0o755, why=why),
        File(f"{_UNITS}/wod-backup.service", fill("api_db/wod-backup.service"), why=why),
        File(timer, fill("api_db/wod-backup.timer", hour=backup.hour), why=why),
        Service("wod-backup.timer", restart_on=(f"file {timer}",), why=why),
        File(f"{OWN_PROGRAMS}/restore", restore, mode=0o755, why=restoring),
        File(f"{_UNITS}/wod-restore@.service", fill("api_db/wod-restore.service"), why=restoring),
    ]


def _sites(context: RoleContext) -> list[Site]:
    stack = context.stack
    # What Prefect shows without a log-in.
    closed = ("/docs*", "/redoc*", "/openapi.json", "/api/docs*", "/api/openapi.json")
    protocol, external = stack.api.protocol, stack.url("api")
    trusted = (*context.frontend_addresses, *context.proxies_of_operator)
    return [
        Site(protocol, stack.api.port, external, f"127.0.0.1:{API_PORT}", trusted=trusted),
        Site(protocol, stack.api.prefect_port, external, f"127.0.0.1:{PREFECT_PORT}", closed),
    ]

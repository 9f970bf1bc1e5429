"""JupyterHub for one machine's seats: started by hand or a supervisor, in an environment of its own.

The platform's code is absent there; all it is told are these variables:

    HUB_BIND_URL       address that students open, served by the proxy     http://127.0.0.1:8802
    HUB_API_URL        address that the hub listens on, of this machine    http://127.0.0.1:8806
    HUB_PROXY_API_URL  address of the proxy's API, of this machine         http://127.0.0.1:8807
    HUB_STATE_DIR      folder of its database; a hub that restarts goes on from there
    HUB_SECRETS_DIR    folder of the files wod_hub_token (that the engine shows), wod_proxy_token and, unless
                       one is to be made, wod_hub_cookie_secret
    HUB_HOMES          folder of the seats' homes
    HUB_ISOLATION      accounts: seats are accounts, passwords go through PAM; folders: seats are folders of
                       whoever runs the hub; auto (default): accounts for root, folders otherwise
    HUB_SPAWNER        process: servers are processes of the hub's (default); systemd: units of their own, for
                       seats that are accounts
    HUB_SEAT_MEMORY_MB memory that a server and its kernels may take together, 0: no limit (default); and
    HUB_SEAT_CPUS      processors that they may keep busy, 0: no limit (default); both with systemd only
    HUB_IDLE_MINUTES   how long a server is left unused until it is stopped, 0: never (default)
    HUB_SPAWN_LIMIT    how many servers may be starting at once (default 10)
    HUB_LOGIN_HOURS    how long a log-in lasts (default 24)
    HUB_EXTRA_CONFIG   configuration file that is read last (default: none)

The proxy runs beside the hub, so that students work on while the hub restarts:

    configurable-http-proxy --ip HOST --port PORT --api-ip 127.0.0.1 --api-port PORT
        --default-target HUB_API_URL --error-target HUB_API_URL/hub/error

with CONFIGPROXY_AUTH_TOKEN in its environment. For https, it also gets --ssl-key FILE --ssl-cert FILE, and
HUB_BIND_URL begins with https.
"""

# Checked where jupyterhub is not installed, and read by it with names of its own.
# mypy: ignore-errors

import os
import sys
import warnings
from pathlib import Path

here = Path(__file__).parent
sys.path.insert(0, str(here))

from believed_addresses import believe_the_proxy_alone  # noqa: E402
from seat_authenticator import AccountAuthenticator, FolderAuthenticator  # noqa: E402
from seat_spawner import AccountSpawner, FolderSpawner  # noqa: E402

c = get_config()  # noqa: F821

believe_the_proxy_alone()

# JupyterHub's own event schemas are of the old kind that its library warns of.
warnings.filterwarnings("ignore", message="The `version` property of an event schema")

hub_state = Path(os.environ["HUB_STATE_DIR"])
hub_secrets = Path(os.environ["HUB_SECRETS_DIR"])
isolation = os.environ.get("HUB_ISOLATION", "auto")
has_accounts = isolation == "accounts" or (isolation == "auto" and os.geteuid() == 0)
if not has_accounts and os.geteuid() == 0:
    raise SystemExit(
        "HUB_ISOLATION=folders would give every student the rights of root: start the hub as another."
    )
has_units = os.environ.get("HUB_SPAWNER", "process") == "systemd"
if has_units and not has_accounts:
    raise SystemExit("HUB_SPAWNER=systemd is for seats that are accounts: start the hub as root.")
hub_state.mkdir(mode=0o700, parents=True, exist_ok=True)

# Addresses
c.JupyterHub.bind_url = os.environ["HUB_BIND_URL"]
c.JupyterHub.hub_bind_url = os.environ["HUB_API_URL"]
c.ConfigurableHTTPProxy.api_url = os.environ["HUB_PROXY_API_URL"]
c.ConfigurableHTTPProxy.auth_token = (hub_secrets / "wod_proxy_token").read_text().strip()
c.ConfigurableHTTPProxy.should_start = False

# A hub that stops leaves servers and routes as they are, and finds them again when it starts.
c.JupyterHub.db_url = f"sqlite:///{hub_state}/jupyterhub.sqlite"
cookie_secret = hub_secrets / "wod_hub_cookie_secret"
c.JupyterHub.cookie_secret_file = str(cookie_secret if cookie_secret.exists() else hub_state / "cookie_secret")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False

# Who may do what: the engine makes users and their servers, a user has a server of its own, nobody else anything.
c.JupyterHub.services = [{"name": "engine", "api_token": (hub_secrets / "wod_hub_token").read_text().strip()}]
c.JupyterHub.load_roles = [{"name": "engine", "scopes": ["admin:users", "servers"], "services": ["engine"]}]
idle_minutes = float(os.environ.get("HUB_IDLE_MINUTES", "0"))
if idle_minutes:
    culler = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={int(60 * idle_minutes)}"]
    c.JupyterHub.services += [{"name": "idle-culler", "command": culler}]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles += [{"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]}]
c.JupyterHub.authenticator_class = AccountAuthenticator if has_accounts else FolderAuthenticator
c.Authenticator.allow_existing_users = True
c.Authenticator.delete_invalid_users = True
c.Authenticator.username_pattern = "[a-z][a-z0-9_-]{0,31}"
c.FolderAuthenticator.records = str(Path(os.environ["HUB_HOMES"]) / ".seats")
# PAM makes whoever typed a wrong password wait; that may not keep others out.
c.PAMAuthenticator.executor_threads = 16
c.PAMAuthenticator.open_sessions = False

# Log-ins
c.JupyterHub.cookie_max_age_days = float(os.environ.get("HUB_LOGIN_HOURS", "24")) / 24
c.JupyterHub.shutdown_on_logout = False
c.JupyterHub.redirect_to_server = True
c.JupyterHub.concurrent_spawn_limit = int(os.environ.get("HUB_SPAWN_LIMIT", "10"))

# Servers: nothing of the hub's environment reaches a student but the mark of the platform's processes.
c.JupyterHub.spawner_class = AccountSpawner if has_accounts else FolderSpawner
c.SeatServer.homes = os.environ["HUB_HOMES"]
c.Spawner.cmd = [sys.executable, str(Path(sys.executable).parent / "jupyterhub-singleuser")]
if has_units:
    from unit_spawner import LOGGED, UnitSpawner

    c.JupyterHub.spawner_class = UnitSpawner
    c.UnitSpawner.cmd = [*LOGGED, *c.Spawner.cmd]
    c.UnitSpawner.mem_limit = int(os.environ.get("HUB_SEAT_MEMORY_MB", "0")) * 2**20 or None
    c.UnitSpawner.cpu_limit = float(os.environ.get("HUB_SEAT_CPUS", "0")) or None
c.Spawner.env_keep = ["LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "WOD_PLATFORM"]
c.Spawner.environment = {
    "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    "JUPYTER_CONFIG_PATH": str(here / "jupyter"),
}
if has_units:
    c.Spawner.environment["JUPYTER_RUNTIME_DIR"] = "/tmp/jupyter"  # noqa: S108  (private to the unit)
c.Spawner.args = [
    # Kernels of different students listen on the same loopback address; those of units, in their own /tmp.
    *(["--KernelManager.transport=ipc"] if has_units else []),
    "--KernelManager.transport_encryption=auto",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    f"--LabApp.app_settings_dir={here / 'lab_settings'}",
]
c.Spawner.start_timeout = 60
c.Spawner.http_timeout = 60
c.LocalProcessSpawner.interrupt_timeout = 3
c.LocalProcessSpawner.term_timeout = 2

# At rest
c.Spawner.poll_interval = 60
c.JupyterHub.last_activity_interval = 600
c.ConfigurableHTTPProxy.check_running_interval = 300
c.PeriodicMetricsCollector.event_loop_interval_resolution = 0.5

extra_config = os.environ.get("HUB_EXTRA_CONFIG")
if extra_config:  # run with this very `c`, so that it can build on what is set here
    exec(compile(Path(extra_config).read_text(), extra_config, "exec"), {"c": c, "__file__": extra_config})  # noqa: S102

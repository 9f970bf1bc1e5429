"""Everything that can be set, with its unit in its name.

A setting is read, strongest first, from the environment (`WOD_API_PORT`), from `settings.toml` in the
state folder (`api_port = 8801`) and from one file a secret (`wod_hub_token`) in the folder that
`WOD_SECRETS_DIR` names. A name that doesn't exist is refused wherever it stands.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from models.errors import Refused
from models.rules.partner_addresses import is_loopback_host
from models.setting_values import Network, Origin, Rate

SETTINGS_FILE = "settings.toml"
SECRETS_FOLDER = "secrets"

# Variables that begin with WOD_ and are not settings of the platform: they tell where settings are, which
# platform a process belongs to, and where ./wod made its environments.
_BESIDE_SETTINGS = {"WOD_STATE", "WOD_SECRETS_DIR", "WOD_PLATFORM", "WOD_HOME", "WOD_CATALOG_API_URL"}


class Settings(BaseSettings):
    """One platform's settings. Times are in hours or seconds as named; sizes in bytes or MB as named."""

    model_config = SettingsConfigDict(env_prefix="WOD_", extra="forbid", frozen=True)

    state_dir: Path = Field(Path(".wod"), description="Folder that holds all state of this platform.")
    log_level: str = Field("INFO", description="Least severe level that the services log.")
    workshops: list[str] = Field(
        default_factory=list, description="Folders of workshops, or git addresses, to offer; empty: the samples."
    )

    # Addresses
    bind_host: str = Field("127.0.0.1", description="Address that the services listen on.")
    port_base: int = Field(8800, ge=1024, le=65000, description="First of the platform's ports.")
    catalog_port: int = Field(0, description="Port of the catalog; 0: port_base.")
    api_port: int = Field(0, description="Port of the API; 0: port_base + 1.")
    hub_port: int = Field(0, description="Port of JupyterHub, as students see it; 0: port_base + 2.")
    prefect_port: int = Field(0, description="Port of the Prefect server and UI; 0: port_base + 3.")
    smtp_port: int = Field(0, description="Port that mail is handed to; 0: port_base + 4.")
    database_port: int = Field(0, description="Port of the embedded PostgreSQL; 0: port_base + 5.")
    hub_api_port: int = Field(0, description="Port of JupyterHub's own API; 0: port_base + 6.")
    proxy_api_port: int = Field(0, description="Port of the hub's proxy API; 0: port_base + 7.")
    catalog_url: str = Field("", description="Address of the catalog in mails; empty: from host and port.")
    api_url: str = Field("", description="Address of the API in mails; empty: from host and port.")
    hub_url: str = Field("", description="Address of the hub in mails; empty: from host and port.")

    # Secrets: no defaults, and never in settings.toml
    database_url: SecretStr | None = Field(None, description="PostgreSQL of the bookings; none: embedded.")
    hub_token: SecretStr | None = Field(None, description="Token that the engine shows to JupyterHub's API.")
    password_key: SecretStr | None = Field(None, description="Key that seat passwords are derived from.")
    link_key: SecretStr | None = Field(None, description="Key that signs the links in mails and webhooks.")
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server, if it asks.")

    # Mail
    smtp_host: str = Field("127.0.0.1", description="Host that mail is handed to.")
    smtp_username: str = Field("", description="Log-in name at the mail server; empty: none.")
    smtp_encryption: str = Field("none", pattern="^(none|starttls|tls)$", description="How to encrypt SMTP.")
    mail_sender: str = Field("workshops@localhost.localdomain", description="From address of all mails.")
    mail_retry_limit_hours: float = Field(48, gt=0, description="When an undeliverable mail is given up.")

    # Branding
    brand: str = Field("Workshops on Demand", description="Name of the programme (BRANDINGWOD).")
    brand_owner: str = Field("Workshops on Demand", description="Name of who runs it (BRANDING).")
    brand_url: str = Field("", description="Home page of who runs it (BRANDINGURL).")
    brand_logo: str = Field("", description="Address of the logo picture (BRANDINGLOGO).")
    brand_color: str = Field("#01775A", pattern="^#[0-9A-Fa-f]{6}$", description="Colour of buttons.")
    brand_chat_url: str = Field("", description="Chat channel for questions; empty: none (BRANDINGSLACK).")
    feedback_url: str = Field("", description="Where students give feedback; empty: not asked.")
    survey_url: str = Field("", description="Survey at the end of a workshop (SURVEYURL).")
    survey_challenge_url: str = Field("", description="Quiz at the end of a challenge (SURVEYCHALURL).")
    terms_url: str = Field("", description="Terms and conditions that a student accepts.")

    # Seats of the one-machine platform
    backend_name: str = Field("localhost", description="Name of the backend in the catalog and notebooks.")
    seats: int = Field(100, ge=1, le=5000, description="Number of seats of the backend.")
    seat_prefix: str = Field(
        "",
        pattern="^[a-z]?[a-z0-9-]{0,20}$",
        description="Account name before the seat number; empty: student.",
    )
    seats_dir: Path | None = Field(None, description="Folder of the seats' homes; none: seats/ in the state.")
    isolation: str = Field("auto", pattern="^(auto|accounts|folders)$", description="Real accounts, or folders.")
    hub_extra_config: Path | None = Field(None, description="Python file that JupyterHub reads last.")
    variables_file: Path | None = Field(None, description="YAML of further variables for the notebooks.")

    # The life of a booking
    hour_seconds: float = Field(3600, gt=0, description="Length of an hour; shorter ones are for rehearsals.")
    reminder_hours: float = Field(1, gt=0, description="How long before its end a student is reminded.")
    prepare_limit_seconds: float = Field(600, gt=0, description="When preparing is given up, with an apology.")
    retry_first_seconds: float = Field(2, gt=0, description="Wait before a failed step's first retry.")
    retry_longest_seconds: float = Field(60, gt=0, description="Longest wait between retries.")
    step_timeout_seconds: float = Field(60, gt=0, description="Longest time one step may take.")
    archive_days: float = Field(14, gt=0, description="How long a student's work can be fetched.")
    archive_limit_mb: int = Field(200, gt=0, description="Largest archive of a student's work.")
    prestart_servers: bool = Field(False, description="Start a seat's Jupyter server before the log-in.")
    prestart_limit: int = Field(2, ge=1, description="How many servers may be starting ahead at once.")
    extension_limit: int = Field(2, ge=0, description="How often a student may make a session longer.")
    extension_hours: float = Field(1, gt=0, description="By how long each time.")
    waiting_limit: int = Field(100, ge=0, description="How many may wait for a seat of one workshop; 0: nobody.")
    offer_hours: float = Field(0.5, gt=0, description="How long a free seat is kept for whoever is next.")
    link_days: float = Field(90, gt=0, description="How long the links in mails open a student's own page.")
    denied_email_domains: list[str] = Field(
        default_factory=list, description="Domains that can't book, besides the known disposable ones."
    )

    # The API
    trusted_proxies: list[Network] = Field(
        default_factory=lambda: ["127.0.0.1", "::1"],
        description="Addresses whose word is taken for whom they ask for (X-Forwarded-For): proxies, the catalog."
        " What they ask for themselves is not limited.",
    )
    cors_origins: list[Origin] = Field(
        default_factory=list, description="Origins whose pages may use the API in a browser, besides ours."
    )
    request_rate: Rate = Field("600/minute", description="Requests that one address may make.")
    booking_rate: Rate = Field(
        "30/minute", description="Bookings that one address may try. A class may share one."
    )
    login_rate: Rate = Field(
        "10/15 minutes", description="Log-ins that may fail, per address; ten times as many per user."
    )
    login_minutes: float = Field(15, gt=0, description="How long a log-in at the API lasts.")
    webhook_retry_limit_hours: float = Field(
        72, gt=0, description="When an undeliverable webhook of a partner is given up."
    )
    metrics_allowed: list[Network] = Field(
        default_factory=lambda: ["127.0.0.1", "::1"],
        description="Addresses that may read the figures for Prometheus at /api/metrics.",
    )
    feedback_email: str = Field("", description="Where feedback is mailed to; empty: `wod feedback` shows it.")

    # Backends on other machines
    backends_file: Path | None = Field(
        None, description="YAML list of the backends; none: this machine is the only one."
    )
    ca_file: Path | None = Field(
        None, description="CA certificates that hubs may have theirs from, besides those that this machine trusts."
    )
    ssh_key_file: Path | None = Field(None, description="Private key that the engine shows to backends.")
    ssh_known_hosts_file: Path | None = Field(None, description="Host keys of the backends, as in known_hosts.")

    # The engine
    engine_concurrency: int = Field(8, ge=1, le=200, description="How many bookings are worked on at once.")
    lease_seconds: float = Field(30, gt=1, description="How long an engine owns a booking unless it renews.")
    sweep_seconds: float = Field(5, gt=0, description="How often the engine looks for due work unasked.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, settings.toml, secret files."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=state_folder() / SETTINGS_FILE)
        return init_settings, env_settings, file, file_secret_settings

    def port(self, service: str) -> int:
        """Return the port of `service`: catalog, api, hub, prefect, smtp, database, hub_api or proxy_api."""
        chosen: int = getattr(self, f"{service}_port")
        return chosen or self.port_base + _PORT_ORDER.index(service)

    def url(self, service: str) -> str:
        """Return the address, without a final slash, at which people and programs reach `service`."""
        chosen: str = getattr(self, f"{service}_url", "")
        host = "127.0.0.1" if self.bind_host in ("0.0.0.0", "::") else self.bind_host  # noqa: S104
        return (chosen or f"http://{host}:{self.port(service)}").rstrip("/")

    def secret(self, name: str) -> str:
        """Return the secret `name`, or refuse with the setting that is missing."""
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise Refused(
                f"The secret {name} is not set. Put it into the file wod_{name} of the folder that"
                f" WOD_SECRETS_DIR names, or set WOD_{name.upper()}.",
                reason="secret_missing",
            )
        return value.get_secret_value()

    def account(self, seat_number: int) -> str:
        """Return the account name of a seat, the same on the machine and in the hub."""
        default = "student" if self.port_base == 8800 else f"student{self.port_base}-"
        return f"{self.seat_prefix or default}{seat_number}"

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the platform serves its own machine alone: one to develop with, in nobody's way."""
        return is_loopback_host(urlsplit(self.url("api")).hostname or "")

    @property
    def homes(self) -> Path:
        """The folder of the seats' homes."""
        return self.seats_dir or self.state_dir / "seats"


_PORT_ORDER = ("catalog", "api", "hub", "prefect", "smtp", "database", "hub_api", "proxy_api")


def state_folder() -> Path:
    """Return the state folder that this process belongs to: WOD_STATE, or .wod below the working folder."""
    return Path(os.environ.get("WOD_STATE", ".wod")).absolute()


def load_settings(**given: Any) -> Settings:
    """Read the settings of the platform in `state_folder()`, or refuse, naming every wrong setting at once."""
    known = {f"WOD_{name.upper()}" for name in Settings.model_fields} | _BESIDE_SETTINGS
    wrong = [
        f"{name} in the environment is not a setting."
        for name in sorted(os.environ)
        if name.startswith("WOD_") and name not in known
    ]
    secrets = os.environ.get("WOD_SECRETS_DIR") or state_folder() / SECRETS_FOLDER
    try:
        settings = Settings(
            _secrets_dir=secrets if Path(secrets).is_dir() else None,
            **{"state_dir": state_folder(), **given},
        )
    except ValidationError as error:
        wrong += [
            f"{'.'.join(str(part) for part in each['loc'])} in the settings: {each['msg']}."
            for each in error.errors(include_url=False, include_input=False)
        ]
    except tomllib.TOMLDecodeError as error:
        wrong.append(f"{state_folder() / SETTINGS_FILE} is not TOML: {error}.")
    if wrong:
        raise Refused("\n".join([*wrong, "docs/settings.md lists them all."]), reason="settings_wrong")
    return settings

"""Which of the platform's settings a stack.yaml may set, and what is written instead of the others."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from models.settings import Settings

_CHOSEN = "Leave it out: the installer chooses it."
_SECRET = "Leave it out: the installer makes it, and keeps it apart from this file."  # noqa: S105
_BACKEND = "Leave it out: each backend has what `backends` says."
_MAIL = "Write `smart_host` under `mail`: the platform hands mail to the relays on the backends."

# Setting that the installer sets itself -> what to do instead of writing it.
OWN_SETTINGS = {
    "state_dir": _CHOSEN,
    "workshops": "Write `workshops` beside `settings`.",
    "bind_host": _CHOSEN,
    "port_base": _CHOSEN,
    "catalog_port": "Write `port` under `frontend`.",
    "api_port": "Write `port` under `api`.",
    "hub_port": "Write `port` under each of `backends`.",
    "prefect_port": "Write `prefect_port` under `api`.",
    "smtp_port": "Write `relay_port` under `mail`.",
    "database_port": _CHOSEN,
    "hub_api_port": _CHOSEN,
    "proxy_api_port": _CHOSEN,
    "catalog_url": "Write `external` under `frontend`.",
    "api_url": "Write `external` under `api`.",
    "hub_url": "Write `external` under each of `backends`.",
    "database_url": _SECRET,
    "hub_token": _SECRET,
    "password_key": _SECRET,
    "link_key": _SECRET,
    "smtp_password": _MAIL,
    "smtp_host": _MAIL,
    "smtp_username": _MAIL,
    "smtp_encryption": _MAIL,
    "mail_sender": "Write `sender` under `mail`.",
    "backend_name": _BACKEND,
    "backends_file": _BACKEND,
    "seats": "Write `seats` under each of `backends`.",
    "seats_dir": _BACKEND,
    "isolation": _BACKEND,
    "hub_extra_config": _BACKEND,
    "ssh_key_file": _CHOSEN,
    "ssh_known_hosts_file": _CHOSEN,
    "ca_file": "Write `certificates`.",
}


def _further_settings() -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in Settings.model_fields.items()
        if name not in OWN_SETTINGS
    }
    return create_model("FurtherSettings", __config__=ConfigDict(extra="forbid"), **fields)


FurtherSettings = _further_settings()

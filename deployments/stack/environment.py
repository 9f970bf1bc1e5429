"""What services see of the world: their environment is made here, and nothing of the operator's gets in."""

from __future__ import annotations

import os
from typing import Any

from deployments.stack.layout import Layout
from models.settings import Settings

# Every process of a platform carries this variable, whose value is its state folder.
PLATFORM_VARIABLE = "WOD_PLATFORM"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_KEPT = ("TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


def given_settings() -> dict[str, str]:
    """Return the settings of this process's environment, without the secrets and what isn't a setting."""
    names = [f"WOD_{name.upper()}" for name, each in Settings.model_fields.items() if not is_secret(each)]
    return {name: os.environ[name] for name in names if name in os.environ}


def is_secret(setting: Any) -> bool:
    """Whether a field of Settings holds a secret."""
    return "SecretStr" in str(setting.annotation)


def base_environment(layout: Layout) -> dict[str, str]:
    """Return the environment that all services start from."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        **kept,
        "PATH": SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        # Each thread of a Python service would otherwise hold a heap of its own.
        "MALLOC_ARENA_MAX": "2",
        PLATFORM_VARIABLE: str(layout.state),
    }


def settings_environment(layout: Layout, service: str) -> dict[str, str]:
    """Return the environment of a service that reads the settings, and the secrets handed to it."""
    return {
        **base_environment(layout),
        **given_settings(),
        "WOD_STATE": str(layout.state),
        "WOD_HOME": str(layout.home),
        "WOD_SECRETS_DIR": str(layout.credentials(service)),
    }

"""Keeping the settings that a platform was started with, so that later commands find it as it is."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from deployments.stack.environment import is_secret
from deployments.stack.layout import Layout
from models.settings import Settings

# Where the state is can't be said inside of it.
_NOT_KEPT = {"state_dir"}


def remember_settings(layout: Layout, settings: Settings, also: frozenset[str]) -> None:
    """Add the settings that the environment gives, and those named in `also`, to settings.toml.

    What stands there already and what equals the default is left out; the operator's text stays as it is.
    """
    path = layout.settings_file
    text = path.read_text() if path.exists() else ""
    known = set(tomllib.loads(text))
    lines = [
        f"{name} = {_toml(getattr(settings, name))}\n"
        for name, each in Settings.model_fields.items()
        if (f"WOD_{name.upper()}" in os.environ or name in also)
        and name not in known | _NOT_KEPT
        and not is_secret(each)
        and getattr(settings, name) != each.get_default(call_default_factory=True)
    ]
    if lines:
        if text and not text.endswith("\n"):
            text += "\n"
        aside = path.with_name(f".{path.name}.new")
        aside.write_text(text + "".join(lines))
        aside.replace(path)


def _toml(value: Any) -> str:
    """Return a setting's value as TOML; its strings and lists are those of JSON."""
    return json.dumps(str(value.absolute()) if isinstance(value, Path) else value)

"""The values of settings that have a form of their own; each tells a person what is wrong with one."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from models.rules.networks import networks

_RATE = re.compile(r"[1-9]\d*/([1-9]\d* ?)?(second|minute|hour|day)s?")
_ORIGIN = re.compile(r"https?://[^/\s*?#@]+")


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError(f"{text!r} is not a rate; write one like 600/minute or 10/15 minutes")
    return text


def _network(text: str) -> str:
    try:
        networks([text])
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an address nor a network; write one like 192.0.2.7 or 192.0.2.0/24"
        ) from None
    return text


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text!r} is not an origin; write one like https://portal.example.org")
    return text


Rate = Annotated[str, AfterValidator(_rate)]
Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, AfterValidator(_origin)]

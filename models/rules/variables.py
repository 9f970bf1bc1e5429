"""What the notebooks of a workshop may name: the platform's, the operator's and the booking's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from models.errors import Refused
from models.rules.seats import seat_port

CHALLENGE_PREFIX = "CHLG-"
WORKSHOP_PREFIX = "WKSHP-"

_PORT = re.compile(r"[A-Z][A-Z0-9_]*PORT[0-9]*")
_FIRST_PORT = re.compile(rf"(?P<name>{_PORT.pattern})-(?P<workshop>WKSHP-.+)")


class Branding(Protocol):
    """The settings that say whose platform this is; the variables' names for them are in brackets there."""

    @property
    def brand(self) -> str: ...  # noqa: D102
    @property
    def brand_owner(self) -> str: ...  # noqa: D102
    @property
    def brand_url(self) -> str: ...  # noqa: D102
    @property
    def brand_logo(self) -> str: ...  # noqa: D102
    @property
    def brand_chat_url(self) -> str: ...  # noqa: D102
    @property
    def survey_url(self) -> str: ...  # noqa: D102
    @property
    def survey_challenge_url(self) -> str: ...  # noqa: D102


def platform_variables(
    branding: Branding, backend_name: str, backend_host: str, operator: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is known before any booking, the operator's variables over the platform's own.

    `backend_name` is the backend's name in the catalog, `backend_host` the name or address under which
    students reach it.
    """
    return {
        "BRANDINGWOD": branding.brand,
        "BRANDING": branding.brand_owner,
        "BRANDINGURL": branding.brand_url,
        "BRANDINGLOGO": branding.brand_logo,
        "BRANDINGSLACK": branding.brand_chat_url,
        "SURVEYURL": branding.survey_url,
        "SURVEYCHALURL": branding.survey_challenge_url,
        "WODBEFQDN": backend_name,
        "WODBEEXTFQDN": backend_host,
        **operator,
        "inventory_hostname": backend_name,
    }


def workshop_of(key: str) -> str:
    """Return the workshop whose content `key` uses: a challenge CHLG-x has that of WKSHP-x."""
    return WORKSHOP_PREFIX + key.removeprefix(CHALLENGE_PREFIX) if key.startswith(CHALLENGE_PREFIX) else key


def booking_variables(
    platform: Mapping[str, Any], key: str, seat_number: int, range_first: int, password: str
) -> dict[str, Any]:
    """Return all variables for one seat of the workshop or challenge `key`, strongest layer last.

    `platform` is that of `platform_variables`. A name that is a workshop's key holds the variables of that
    workshop alone. `<NAME>PORT-<workshop>` is the port of the workshop's first seat `range_first`, from
    which the seat's own `<NAME>PORT` follows. `hostvars[inventory_hostname]` holds the same variables.

    Refused with `port_out_of_range` or `port_not_a_number` when a port can't be computed.
    """
    workshop = workshop_of(key)
    variables = {name: value for name, value in platform.items() if not _is_layer(name, value)}
    for layer in dict.fromkeys((workshop, key)):
        own = platform.get(layer)
        variables |= own if isinstance(own, Mapping) else {}
    variables |= _seat_ports(variables, workshop, seat_number, range_first)
    variables |= {
        "WORKSHOP": workshop,
        "CHALLENGE": key,
        "MODEWS": "CHLG" if key.startswith(CHALLENGE_PREFIX) else "WKSHP",
        "DIR": "",
        "STDID": seat_number,
        "PASSSTU": password,
    }
    variables["hostvars"] = {variables["inventory_hostname"]: dict(variables)}
    return variables


def unknown_remedy(name: str, key: str) -> str:
    """Return how to make the variable `name` known to the workshop `key`, if there is a special way."""
    if not _PORT.fullmatch(name):
        return ""
    first = f"{name}-{workshop_of(key)}"
    return f"Have the operator define {first}, the port of the workshop's first seat, in the variables file."


def _is_layer(name: str, value: Any) -> bool:
    return name.startswith((WORKSHOP_PREFIX, CHALLENGE_PREFIX)) and isinstance(value, Mapping)


def _seat_ports(variables: Mapping[str, Any], workshop: str, seat_number: int, range_first: int) -> dict[str, int]:
    ports = {}
    for name, value in variables.items():
        found = _FIRST_PORT.fullmatch(name)
        if not found or found["workshop"] != workshop:
            continue
        try:
            base = int(str(value))
        except ValueError:
            raise Refused(
                f"The variable {name} is {value!r}. Make it the number of a port.", reason="port_not_a_number"
            ) from None
        ports[found["name"]] = seat_port(base, seat_number, range_first)
    return ports

"""The kinds of values in a stack.yaml: each is taken as it should be written, or refused with a remedy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from models.errors import Refused
from models.rules.addresses import check_address

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"^{_LABEL}(?:\.{_LABEL})*$"
_GROUP = r"^[a-z][a-z0-9-]{0,31}$"
_ACCOUNT = r"^[a-z_][a-z0-9_-]{0,31}$"
_UNSHOWN = re.compile(r"[\x00-\x20\x7f]")

_LONGEST_HOST = 253  # characters: RFC 1035, section 2.3.4, without the final dot
_LONGEST_MACHINE = 64  # characters: HOST_NAME_MAX of Linux, and the common name of a certificate


def shown(value: object) -> str:
    """Return a value as a message shows it: short, and in one line."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a nested value"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "…")
    return "a list" if isinstance(value, list) else repr(value)


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("stack", "{what}", {"what": message, "remedy": remedy})


def _matching(pattern: str, kind: str, remedy: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.match(pattern, text) or text.endswith("\n"):
            raise _wrong(f"is {shown(text)}, not {kind}", remedy)
        return text

    return check


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_host(text: str) -> bool:
    is_name = re.fullmatch(_HOST, text) is not None and len(text) <= _LONGEST_HOST
    return is_name and not text.rpartition(".")[2].isdigit()


def _machine_name(text: str) -> str:
    if _is_address(text):
        remedy = "Choose a name for the machine here, and write its address under `machines`."
        raise _wrong(f"is the address {text}, not a name", remedy)
    if not _is_host(text) or len(text) > _LONGEST_MACHINE:
        remedy = f"Write a-z, 0-9, - and dots, such as be1.local; at most {_LONGEST_MACHINE} characters."
        raise _wrong(f"is {shown(text)}, not the name of a machine", remedy)
    if text.rpartition(".")[2] == "localhost":
        raise _wrong(f"is {text}, which is another machine everywhere", "Choose a name such as wod.local.")
    return text


def _machine_address(text: str) -> str:
    if text and not _is_address(text) and not _is_host(text):
        remedy = "Write an IP address, or a name such as be1.example.org."
        raise _wrong(f"is {shown(text)}, neither an address nor the name of a host", remedy)
    return text


def _web_address(text: str) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if _UNSHOWN.search(text) or parts.scheme not in ("http", "https") or port == 0:
        host = ""
    if not (_is_host(host) or _is_address(host)) or "@" in parts.netloc:
        remedy = "Write https:// and a host, such as https://wod.example.org or https://wod.example.org:8443."
        raise _wrong(f"is {shown(text)}, not an address that students can open", remedy)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _wrong(f"is {shown(text)}, an address below the top of a host", "End it after the host or the port.")
    bracketed = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{bracketed}" + (f":{port}" if port else "")


def _https_address(text: str) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    is_right = parts.scheme == "https" and port != 0 and "@" not in parts.netloc and not parts.fragment
    if _UNSHOWN.search(text) or not is_right or not (_is_host(host) or _is_address(host)):
        remedy = "Write its https address, such as https://ca.example.org/acme/acme/directory."
        raise _wrong(f"is {shown(text)}, not the address of an authority's directory", remedy)
    return text


def _host_and_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    is_host = _is_host(host) or _is_address(host.removeprefix("[").removesuffix("]"))
    is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) < 65536
    if text and not (is_host and is_port):
        raise _wrong(f"is {shown(text)}, not a host and its port", "Write them as smtp.example.org:587.")
    return text


def _mail_address(text: str) -> str:
    try:
        return check_address(text, ()).address
    except Refused:
        remedy = "Write one that can receive answers, such as workshops@example.org."
        raise _wrong(f"is {shown(text)}, not an e-mail address", remedy) from None


def _some_mail_address(text: str) -> str:
    return _mail_address(text) if text else ""


def _management_account(text: str) -> str:
    if text == "root":
        raise _wrong("is root, whose account is the system's own", "Name an account that is the platform's alone.")
    return text


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_ACCOUNT_REMEDY = "Write a-z, 0-9, - and _, beginning with a letter; at most 32 characters."
_GROUP_REMEDY = "Write a-z, 0-9 and -, beginning with a letter; at most 32 characters."

GroupName = Annotated[
    str, AfterValidator(_matching(_GROUP, "the name of a group", _GROUP_REMEDY)), _pattern(_GROUP)
]
AccountName = Annotated[
    str, AfterValidator(_matching(_ACCOUNT, "the name of an account", _ACCOUNT_REMEDY)), _pattern(_ACCOUNT)
]
ManagementAccount = Annotated[AccountName, AfterValidator(_management_account)]
MachineName = Annotated[str, AfterValidator(_machine_name), _pattern(_HOST)]
MachineAddress = Annotated[str, AfterValidator(_machine_address)]
WebAddress = Annotated[str, AfterValidator(_web_address), _pattern(r"^(?:https?://[^\s/?#@]+/?)?$")]
HttpsAddress = Annotated[str, AfterValidator(_https_address), _pattern(r"^(?:https://[^\s#@]+)?$")]
HostAndPort = Annotated[str, AfterValidator(_host_and_port), _pattern(r"^(?:\S+:[0-9]{1,5})?$")]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
SomeMailAddress = Annotated[str, AfterValidator(_some_mail_address)]
Port = Annotated[int, Field(ge=1, le=65535)]

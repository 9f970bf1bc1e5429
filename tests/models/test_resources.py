"""What resources are called, how they travel, and when they count as changed."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from models.resources import (
    Account,
    Command,
    Environment,
    File,
    Folder,
    Link,
    Packages,
    Resource,
    Service,
    Tree,
)

WHY = "So that it can be tested."


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        (Packages(("cron",), why=WHY), "packages"),
        (Folder("/etc/wod", why=WHY), "folder /etc/wod"),
        (File("/etc/wod/x", b"", why=WHY), "file /etc/wod/x"),
        (Link("/etc/wod/y", "x", why=WHY), "link /etc/wod/y"),
        (Account("wod", "/var/lib/wod", why=WHY), "account wod"),
        (Tree("/opt/wod/code", b"", why=WHY), "tree /opt/wod/code"),
        (Environment("/opt/wod/env", "lock", "uv", why=WHY), "environment /opt/wod/env"),
        (Command("migrate", ("true",), "1", why=WHY), "command migrate"),
        (Service("wod-hub", why=WHY), "service wod-hub"),
    ],
)
def test_a_resource_travels_as_plain_values_with_its_key_and_digest(resource: Resource, key: str) -> None:
    values = resource.as_dict()
    assert json.loads(json.dumps(values)) == values
    assert (resource.key, values["key"], values["kind"]) == (key, key, key.split()[0])
    assert values["digest"] == resource.digest
    assert "why" not in values


@pytest.mark.parametrize(
    ("kind", "before", "after", "is_new"),
    [
        (File, {"path": "/x", "content": b"a"}, {"content": b"b"}, True),
        (File, {"path": "/x", "content": b"a"}, {"mode": 0o600}, True),
        (File, {"path": "/x", "content": b"a"}, {"why": "For another reason."}, False),
        (Packages, {"names": ("a",)}, {"names": ("a", "b")}, True),
        (Command, {"name": "c", "argv": ("true",), "stamp": "1"}, {"stamp": "2"}, True),
        (Command, {"name": "c", "argv": ("true",), "stamp": "1"}, {"argv": ("false",)}, True),
        (Command, {"name": "c", "argv": ("true",), "stamp": "1"}, {"stdin": b"a password"}, False),
        (Command, {"name": "c", "argv": ("true",), "stamp": "1"}, {"timeout_seconds": 5}, False),
        (Environment, {"path": "/e", "lock": "a", "uv_lock": "u"}, {"lock": "b"}, True),
        (Environment, {"path": "/e", "lock": "a", "uv_lock": "u"}, {"after": (("true",),)}, True),
        (Environment, {"path": "/e", "lock": "a", "uv_lock": "u"}, {"uv_lock": "v"}, False),
    ],
)
def test_the_digest_changes_exactly_when_it_must_be_made_anew(
    kind: Any, before: dict[str, Any], after: dict[str, Any], is_new: bool
) -> None:
    first, same = kind(**{"why": WHY, **before}), kind(**{"why": WHY, **before})
    second = kind(**{"why": WHY, **before, **after})
    assert first.digest == same.digest
    assert (first.digest != second.digest) is is_new


def test_bytes_survive_the_way() -> None:
    content = bytes(range(256))
    assert b64decode(File("/x", content, why=WHY).as_dict()["content"]) == content
    assert b64decode(Command("c", ("cat",), "1", stdin=content, why=WHY).as_dict()["stdin"]) == content


@pytest.mark.parametrize(
    "resource",
    [
        File("/x", b"Secret-1", is_secret=True, why=WHY),
        Command("c", ("cat",), "1", stdin=b"Secret-1", environment={"PASSWORD": "Secret-1"}, why=WHY),
    ],
)
def test_what_may_be_secret_is_not_shown(resource: Resource) -> None:
    assert "Secret-1" not in repr(resource)

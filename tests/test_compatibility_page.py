"""docs/api-compatibility.md names each path of the existing system, and each of its routes that are here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.rules.roles import PASSWORD_LEAST, PASSWORD_MOST
from models.settings import Settings
from ui.api.guard import BODY_LIMIT_BYTES
from ui.api.legacy.closed import CLOSED
from ui.api.main import create_app

PAGE = (Path(__file__).parents[1] / "docs/api-compatibility.md").read_text()
ROWS = {
    (method, path): (kind, text)
    for method, path, kind, text in re.findall(
        r"^\| `(GET|POST|PUT|DELETE) (/\S*)` \| (same|different|closed) \| (.*)\|$", PAGE, re.MULTILINE
    )
}

# What the existing system's API had, method by method.
EXISTING = """
POST /api/login
POST /api/user
GET /api/users, GET /api/users/{id}, PUT /api/user/{id}, DELETE /api/user/{id}
GET /api/customers, GET /api/customers/{id}
POST /api/customer, PUT /api/customer/{id}, DELETE /api/customer/{id}, PUT /api/customer/unregister/{id}
GET /api/students, GET /api/students/{id}
POST /api/student, PUT /api/student/{id}, DELETE /api/student/{id}
GET /api/workshops, GET /api/workshops/{id}, GET /api/workshops/categories, GET /api/workshopsBeta
POST /api/workshop, PUT /api/workshop/{id}, DELETE /api/workshop/{id}
GET /api/special-badges
GET /api/locations, GET /api/location/{id}, PUT /api/location/{id}, DELETE /api/location/{id}
POST /api/emails, POST /api/email/send-feedback, GET /api/email/random/{list_id}
GET /api/docs, GET /swagger.json, GET /, GET /test
"""
NAMES = [tuple(each.split()) for each in re.split(r"\n|, ", EXISTING) if each]


def our_routes() -> set[tuple[str, str]]:
    described = create_app(Settings()).openapi()["paths"]
    tagged = {
        (method.upper(), path)
        for path, methods in described.items()
        for method, operation in methods.items()
        if "existing system" in operation["tags"]
    }
    hidden = {("GET", path) for path in ("/", "/test", "/swagger.json")}
    return tagged | hidden


@pytest.mark.parametrize(("method", "path"), NAMES)
def test_the_page_names_what_the_existing_system_has(method, path):
    kind, text = ROWS[method, path]
    assert kind == "same" or text.strip(), "what differs, and why?"


def test_the_page_names_nothing_else():
    assert set(ROWS) == set(NAMES)


def test_every_path_of_the_existing_system_is_answered_here():
    assert our_routes() | {("GET", "/api/docs")} == set(NAMES)


def test_the_page_says_what_is_closed():
    closed = {name for name, (kind, _) in ROWS.items() if kind == "closed" and "410" in ROWS[name][1]}
    assert closed == {(method, f"/api{path}") for method, path in CLOSED}


def test_the_page_knows_the_limits():
    assert f"{PASSWORD_LEAST} to {PASSWORD_MOST} characters" in PAGE
    assert f"up to {BODY_LIMIT_BYTES // 1024} KB" in PAGE

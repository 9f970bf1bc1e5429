"""A portal that was written for the existing system, on the whole platform: engine, hub and mails included."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest
from eventually import eventually

from deployments.rehearsal.own_platform import own_platform
from models.rules.booking import MailKind

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

WORKSHOP = "WKSHP-Python-First-Steps"
STUDENT = "ana@example.org"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def platform():
    with own_platform(feedback_email="operators@example.org") as running:
        arguments = ["user", "add", "portal", "--email", "portal@example.org", "--role", "moderator"]
        subprocess.run(
            [sys.executable, "-m", "ui.cli.main", *arguments, "--password-stdin"],
            input=f"{PASSWORD}\n",
            text=True,
            env=dict(running.environment),
            cwd=running.layout.source,
            check=True,
        )
        yield running


@pytest.fixture
async def portal(platform):
    async with httpx.AsyncClient(base_url=f"{platform.api_url}/api", timeout=30) as opened:
        login = await opened.post("/login", json={"username": "portal", "password": PASSWORD})
        opened.headers["x-access-token"] = login.raise_for_status().json()["accessToken"]
        yield opened


async def poll(portal, customer, word):
    """Ask until a booking has come to where the existing system says `word`; return its row."""

    async def row_there():
        row = (await portal.get(f"/customers/{customer}")).raise_for_status().json()
        return row if row["lastEmailSent"] == word else None

    return await eventually(row_there, f"the booking is said to be {word}", 90)


async def test_a_portal_books_follows_and_ends(platform, portal):
    offered = (await portal.get("/workshops", params={"active": "true"})).json()
    workshop = next(each for each in offered if each["notebook"] == WORKSHOP)
    wish = {
        "email": STUDENT.upper(),
        "name": "Ana Example",
        "company": "Example Inc.",
        "title": workshop["name"],
        "notebook": workshop["notebook"],
        "sessionType": workshop["sessionType"],
        "location": workshop["location"],
        "termsAndConditions": True,
        "proxy": "wod",
    }
    created = (await portal.post("/customer", json=wish)).raise_for_status().json()
    row = await poll(portal, created["id"], "credentials")
    assert row["active"]
    mail = await platform.mailbox.wait_for(MailKind.CREDENTIALS, row["email"], 60)
    student = (await portal.get(f"/students/{created['studentId']}")).json()
    assert (student["assigned"], student["password"]) == (True, "")
    assert student["username"] in mail.get_body(("plain",)).get_content()
    again = await portal.post("/customer", json=wish)
    assert (again.status_code, again.json()["id"]) == (202, created["id"])
    assert (await portal.put(f"/customer/unregister/{created['id']}")).json()["active"] is False
    row = await poll(portal, created["id"], "expired")
    assert row["cleaned"]
    assert not (await portal.get(f"/students/{created['studentId']}")).json()["assigned"]
    assert (await portal.post("/customer", json=wish)).status_code == 200


async def test_feedback_reaches_the_operator(platform, portal):
    given = {"email": STUDENT, "message": "The second notebook was the best.", "proxy": "wod"}
    assert (await portal.post("/email/send-feedback", json=given)).text == "email sent successfully"
    [mail] = await eventually(
        lambda: platform.mailbox.mails("operators@example.org"), "the feedback reaches the operator", 100
    )
    assert "The second notebook was the best." in mail.get_content()
    assert mail["Reply-To"] == STUDENT

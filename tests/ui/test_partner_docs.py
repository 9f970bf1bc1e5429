"""What docs/api.md tells partners: its examples run, and its tables are those of the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from partner_samples import add_key

from models.rules.scopes import Scope
from models.rules.webhooks import WebhookEvent, signed_headers
from models.settings import Settings
from models.tables import utc_now
from ui.api.errors import PROBLEM_MEDIA_TYPE
from ui.api.main import create_app

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()
EXAMPLES = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def first_cells(heading):
    table = PAGE.partition(heading)[2].partition("\n\n")[0]
    return [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[1:]]


@pytest.fixture
async def real(api, shop):
    """Put a key and an address that work in the place of the page's."""
    await shop.offer("WKSHP-Python101")
    _, key = await add_key(shop.database)
    return lambda example: example.replace("https://api.example.org", api.url).replace("wod_…", key)


@pytest.mark.integration
@pytest.mark.parametrize("example", [each for each in EXAMPLES if "PartnerClient" in each])
def test_the_examples_run(real, example, capsys):
    exec(compile(real(example), "docs/api.md", "exec"), {})  # noqa: S102
    assert re.match(r"(hook_)?\S{20,} (whsec_|http)\S+\n", capsys.readouterr().out)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_command_books(real):
    (command,) = re.findall(r"^    (curl .+?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(["bash", "-c", real(command)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["partner_user"] == "u-4711"


def test_the_example_verifies_what_is_signed():
    (example,) = [each for each in EXAMPLES if "def is_ours" in each]
    names = {}
    exec(compile(example, "docs/api.md", "exec"), names)  # noqa: S102
    is_ours, body = names["is_ours"], b'{"type": "booking.ready"}'
    signed = signed_headers(SECRET, "msg_1", utc_now(), body)
    assert is_ours(SECRET, signed, body)
    assert not is_ours(SECRET, signed, body + b" ")
    assert not is_ours("whsec_" + "A" * 32, signed, body)
    assert not is_ours(SECRET, signed | {"webhook-id": "msg_2"}, body)
    assert not is_ours(SECRET, signed | {"webhook-timestamp": str(int(time.time()) + 1)}, body)
    assert not is_ours(SECRET, signed_headers(SECRET, "msg_1", utc_now() - timedelta(minutes=6), body), body)


def test_the_scopes_and_events():
    assert [cell[0] for cell in first_cells("| scope | is for |\n")] == list(Scope)
    assert [cell[0] for cell in first_cells("| event | the booking |\n")] == list(WebhookEvent)


def test_the_refusals():
    table = PAGE.partition("| status | reason | |\n")[2]
    rows = [line.split("|")[1:3] for line in table.splitlines()[1:] if line.startswith("|")]
    told = {(status.strip(), reason) for status, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)}
    described = create_app(Settings(state_dir=Path("nowhere"))).openapi()["paths"].values()
    assert told == {
        (status, reason)
        for path in described
        for operation in path.values()
        if "partners" in operation["tags"]
        for status, answer in operation["responses"].items()
        for reason in answer.get("content", {}).get(PROBLEM_MEDIA_TYPE, {}).get("examples", {})
    }

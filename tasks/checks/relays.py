"""What must be so with mail: each relay takes one from the API machine, and hands it on."""

from __future__ import annotations

import asyncio
import json
import re
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from time import monotonic

from models.errors import StepFailed
from tasks.adapters.agent_source import LOADER, program
from tasks.adapters.machine import run_checked
from tasks.checkup import Checkup
from tasks.verdicts import Verdict, bad, good, warning

_HAND_OVER_SECONDS = 60.0
_LOOK_SECONDS = 30.0
_DELIVERY_SECONDS = 30.0
_POLL_SECONDS = 0.5
# What hands mail on, or tells that it can't.
_DELIVERERS = ("smtp", "local", "virtual", "lmtp", "error", "discard")
_STATUS = re.compile(r"status=(\w+) \((.*)\)")


async def check_relays(checkup: Checkup) -> list[Verdict]:
    """Send a mail through each relay, asked from the API machine, and see it handed on."""
    api, relays = checkup.stack.api.machine, [each.machine for each in checkup.stack.backends]
    if api in checkup.silent:
        return []
    port, source = checkup.stack.mail.relay_port, program(("relay_probe",)).encode()
    asked = {"relays": relays, "port": port, "mail": _mail(checkup)}
    machine = checkup.machines[api]
    done = await run_checked(
        machine,
        [*machine.python, "-I", "-S", "-c", LOADER, str(len(source))],
        stdin=source + json.dumps(asked).encode(),
        timeout_seconds=_HAND_OVER_SECONDS,
    )
    answers = json.loads(done.stdout)
    followed = (_followed(checkup, relay, answers[relay]) for relay in relays)
    return list(await asyncio.gather(*followed))


async def _followed(checkup: Checkup, relay: str, answer: dict[str, str]) -> Verdict:
    place = f"{relay}:{checkup.stack.mail.relay_port}"
    if "error" in answer:
        remedy = f"See `journalctl -t postfix/smtpd` on {relay}, and run `wod install`."
        return bad(
            place, f"The relay does not take a mail from {checkup.stack.api.machine}: {answer['error']}.", remedy
        )
    if relay in checkup.silent:
        return warning(place, "The relay took a mail; what became of it can't be told.", f"Look at {relay}.")
    status, why = await _delivery(checkup, relay, answer["queued"])
    if status == "sent":
        return good(place, f"A mail to {checkup.mail_to} went through the relay: {why}.")
    what = f"The relay could not hand a mail to {checkup.mail_to} on: {why or 'it is still in its queue'}."
    remedy = f"Check `mail` in the stack file, see `postqueue -p` on {relay}, or let --mail-to name who gets mail."
    return bad(place, what, remedy)


async def _delivery(checkup: Checkup, relay: str, queued: str) -> tuple[str, str]:
    """Return how the delivery of a mail ended, and the words of the server that it went to."""
    tags = [part for name in _DELIVERERS for part in ("-t", f"postfix/{name}")]
    argv = ["sudo", "-n", "journalctl", "-q", "-o", "cat", "--since=-5min", *tags]
    deadline = monotonic() + _DELIVERY_SECONDS
    while monotonic() < deadline:
        try:
            log = await run_checked(checkup.machines[relay], argv, timeout_seconds=_LOOK_SECONDS)
        except StepFailed as error:
            return "", error.message
        for line in log.stdout.decode(errors="replace").splitlines():
            if line.startswith(f"{queued}:") and (told := _STATUS.search(line)):
                return told[1], told[2]
        await asyncio.sleep(_POLL_SECONDS)
    return "", ""


def _mail(checkup: Checkup) -> dict[str, str]:
    sender, recipient = checkup.stack.mail.sender, checkup.mail_to
    message = EmailMessage()
    message["From"], message["To"], message["Date"] = sender, recipient, formatdate()
    message["Message-ID"] = make_msgid("check", checkup.stack.api.machine)
    message["Subject"] = f"A check of the stack {checkup.stack.name}"
    message.set_content(
        "The mail relay RELAY has handed this mail on. It was sent to check that; nothing is to be done."
    )
    return {"sender": sender, "recipient": recipient, "content": message.as_string()}

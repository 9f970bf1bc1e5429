"""Hands a mail to mail relays, as the machine that it runs on may do. It travels there: standard library alone."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HAND_OVER_SECONDS = 20
_QUEUED = re.compile(r"queued as (\w+)")


def hand_over(relay: str, port: int, mail: Mapping[str, Any]) -> dict[str, str]:
    """Return the number under which a relay has queued a mail, or why it has not."""
    try:
        with smtplib.SMTP(relay, port, timeout=HAND_OVER_SECONDS) as connection:
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo_or_helo_if_needed()
            connection.mail(mail["sender"])
            connection.rcpt(mail["recipient"])
            status, answer = connection.data(mail["content"].replace("RELAY", relay))
    except ssl.SSLCertVerificationError as error:
        return {"error": f"its certificate is not good: {error.verify_message}"}
    except (OSError, smtplib.SMTPException) as error:
        return {"error": f"{type(error).__name__} {error}"}
    queued = _QUEUED.search(answer.decode(errors="replace"))
    if status != 250 or not queued:
        return {"error": f"{status} {answer.decode(errors='replace')}"}
    return {"queued": queued[1]}


def main() -> int:
    """Read relays and a mail from stdin as JSON, and write what became of it at each of them."""
    asked = json.load(sys.stdin)
    with ThreadPoolExecutor() as threads:
        work = [threads.submit(hand_over, relay, asked["port"], asked["mail"]) for relay in asked["relays"]]
        answers = [each.result() for each in work]
    print(json.dumps(dict(zip(asked["relays"], answers, strict=True))))  # noqa: T201
    return 0

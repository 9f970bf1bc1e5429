"""Checking a stack that runs: everything at once, and all that is wrong in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

from models.errors import StepFailed, WodError
from tasks.checks.bookings import check_bookings
from tasks.checks.doors import (
    check_api,
    check_catalog,
    check_certificate,
    check_hub,
    check_prefect,
    unencrypted,
    urls,
)
from tasks.checks.machines import check_backup, check_machine
from tasks.checks.relays import check_relays
from tasks.checkup import Checkup, Wishes, checkup
from tasks.recording import publish
from tasks.verdicts import Level, Verdict, as_markdown, bad, tell_verdict


async def check(stack_file: Path, ssh_key: Path, wishes: Wishes) -> list[Verdict]:
    """Tell how everything of a stack is; listeners hear each verdict as it comes.

    Raises StepFailed (stack_unwell) with all that is bad, and Refused as `checkup` does.
    """
    async with checkup(stack_file, ssh_key, wishes) as opened:
        found = await asyncio.gather(*(_guarded(subject, work) for subject, work in _checks(opened)))
    verdicts = [verdict for each in found for verdict in each]
    await publish(f"check-{opened.stack.name}", as_markdown(verdicts))
    wrong = [verdict for verdict in verdicts if verdict.level is Level.BAD]
    if wrong:
        raise StepFailed("\n".join(map(str, wrong)), reason="stack_unwell")
    return verdicts


def _checks(opened: Checkup) -> list[tuple[str, Awaitable[Sequence[Verdict]]]]:
    stack = opened.stack
    catalog, api = stack.url("catalog"), stack.url("api")
    return [
        *((machine, check_machine(opened, machine)) for machine in stack.machine_names),
        *((url, check_certificate(opened, url)) for url in urls(opened) if url.startswith("https:")),
        *((url, _at_once(unencrypted(url))) for url in urls(opened) if url.startswith("http:")),
        (catalog, check_catalog(opened, catalog)),
        (api, check_api(opened, api)),
        (stack.url("prefect"), check_prefect(opened)),
        *((stack.url("hub", each.machine), check_hub(opened, each.machine)) for each in stack.backends),
        ("mail", check_relays(opened)),
        (stack.api.machine, check_backup(opened)),
        (api, check_bookings(opened)),
    ]


async def _guarded(subject: str, work: Awaitable[Sequence[Verdict]]) -> Sequence[Verdict]:
    try:
        verdicts = await work
    except WodError as error:
        verdicts = [bad(subject, f"{error.message} {error.detail}".rstrip(), "Mend that, and check again.")]
    for verdict in verdicts:
        tell_verdict(verdict)
    return verdicts


async def _at_once(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    return verdicts

"""Checking a stack of machines that runs."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.checking import check
from tasks.checkup import Wishes
from tasks.verdicts import Verdict


@flow(name="check-stack")
async def check_stack(
    stack: str, ssh_key: str, mail_to: str = "", workshop: str = "", books: bool = True
) -> list[Verdict]:
    """Look at everything that students and operators count on, and fail with all that is wrong."""
    return await check(Path(stack), Path(ssh_key), Wishes(mail_to, workshop, books))

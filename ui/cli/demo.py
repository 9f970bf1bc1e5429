"""wod demo: the platform with a student on it, for a first look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import aclosing, suppress
from email.message import EmailMessage
from typing import Annotated

import typer
from rich.markup import escape
from rich.panel import Panel

from deployments.rehearsal.maildir import Mailbox, kind_of, text_of
from deployments.rehearsal.own_platform import own_platform
from deployments.rehearsal.visit import Visit, book, whole_visit
from deployments.stack.layout import find_layout
from deployments.stack.lifecycle import running_plan
from models.errors import WodError
from models.rules.links import booking_page
from models.settings import load_settings
from ui.api.client import ApiClient, ApiError
from ui.api.schemas import BookingStatus
from ui.cli.console import errors, output

app = typer.Typer()

_WORKSHOP = "WKSHP-Python-First-Steps"
_EMAIL = "student@example.com"
# An hour of the fast demonstration: long enough to work in a session, short enough to see its end.
_FAST_HOUR_SECONDS = 15
_FAST_SEATS = 100
_WATCH_SECONDS = 0.5


@app.command()
def demo(
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Live through a whole booking in compressed time, then take all away again."),
    ] = False,
) -> None:
    """Bring the platform up with a first student on it, and show what happens."""
    if fast:
        _rehearse()
    else:
        _show()


def _rehearse() -> None:
    begun = time.monotonic()
    errors.print(f"An hour lasts {_FAST_HOUR_SECONDS} seconds here. Bringing a platform up …", highlight=False)
    with own_platform(shows_progress=True, hour_seconds=_FAST_HOUR_SECONDS, seats=_FAST_SEATS) as platform:
        visit = Visit(platform.api_url, platform.mailbox, platform.settings.homes, _WORKSHOP, _EMAIL)
        try:
            asyncio.run(_tell(visit, begun))
        except WodError:
            output.print(f"[{time.monotonic() - begun:5.1f} s] [red]✘[/red] not all of it was seen")
            raise
        _show_mails(platform.mailbox)
        errors.print("Taking the platform away …", highlight=False)
    output.print(
        f"The whole life of a booking, each step seen, in {time.monotonic() - begun:.0f} s.", highlight=False
    )


async def _tell(visit: Visit, begun: float) -> None:
    async with aclosing(whole_visit(visit)) as sentences:
        async for sentence in sentences:
            seconds = time.monotonic() - begun
            output.print(f"[{seconds:5.1f} s] [green]✔[/green] {sentence}", highlight=False, soft_wrap=True)


def _show() -> None:
    layout = find_layout()
    plan = running_plan(layout)
    was_up = plan is not None
    if not was_up:
        subprocess.run([sys.executable, "-m", "ui.cli.main", "up", "--detach"], check=True, env=os.environ)
    try:
        settings = load_settings()
        mailbox = Mailbox(layout.mail)
        mailbox.mails()
        visit = Visit(settings.url("api"), mailbox, settings.homes, _WORKSHOP, _fresh_address())
        reference = asyncio.run(book(visit))
        page = booking_page(settings.url("catalog"), reference)
        output.print(f"Booked {_WORKSHOP} as {visit.email}. Its page: {page}", soft_wrap=True)
        output.print("What happens to it, and the mails as they come; Ctrl-C ends the demonstration:")
        _watch(visit, reference)
    except KeyboardInterrupt:
        output.print("The demonstration is over.")
    finally:
        if not was_up:
            subprocess.run([sys.executable, "-m", "ui.cli.main", "down"], check=True, env=os.environ)


def _watch(visit: Visit, reference: str) -> None:
    shown: set[str] = set()
    with ApiClient(visit.api_url) as api:
        while True:
            with suppress(ApiError):
                for line in _lines(api.booking(reference)):
                    if line not in shown:
                        shown.add(line)
                        output.print(f"{time.strftime('%H:%M:%S')}  {line}", highlight=False)
            for _, mail in visit.mailbox.arrivals():
                _show_mail(mail)
            time.sleep(_WATCH_SECONDS)


def _lines(status: BookingStatus) -> list[str]:
    steps = [f"✔ {step.title}" for step in status.steps if step.done]
    return [*steps, f"The booking is {status.state}", *filter(None, [status.notice, status.failure])]


def _show_mails(mailbox: Mailbox) -> None:
    output.print("The mails that came:")
    for mail in mailbox.mails():
        output.print(f"    {kind_of(mail):<12} {mail['Subject']}", highlight=False, markup=False)


def _show_mail(mail: EmailMessage) -> None:
    title, subtitle = escape(str(mail["Subject"])), escape(f"to {mail['To']}")
    output.print(Panel(escape(text_of(mail).strip()), title=title, subtitle=subtitle), highlight=False)


def _fresh_address() -> str:
    """Return an address of this demonstration alone: one address has one booking at a time."""
    name, _, domain = _EMAIL.partition("@")
    return f"{name}+{time.strftime('%H%M%S')}@{domain}"

"""wod book: a booking made from the command line, as the catalog makes it."""

from __future__ import annotations

from typing import Annotated

import typer

from models.errors import Refused
from models.settings import load_settings
from ui.api.client import ApiClient, ApiError
from ui.api.schemas import BookingRequest
from ui.cli.console import output

app = typer.Typer()


@app.command("book")
def book_command(
    workshop: Annotated[str, typer.Argument(help="Key of the workshop: WKSHP-…")],
    email: Annotated[str, typer.Argument(help="Where the password goes.")],
    name: Annotated[str, typer.Option(help="Name of the student.")],
    company: Annotated[str, typer.Option(help="Company of the student.")] = "",
    api: Annotated[str, typer.Option(metavar="URL", help="Address of the API; else this platform's.")] = "",
) -> None:
    """Book a workshop for a student, who accepts its terms, and print where the booking can be followed."""
    wish = BookingRequest(workshop=workshop, email=email, name=name, company=company, accept_terms=True)
    with ApiClient(api or load_settings().url("api")) as client:
        try:
            created = client.book(wish)
        except ApiError as error:
            raise Refused(error.message, reason=error.reason, retry_at=error.retry_at) from None
    output.print(created.page_url, soft_wrap=True, highlight=False, markup=False)

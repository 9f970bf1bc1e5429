"""wod student: what operators do for a student who asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import Refused
from models.rules.addresses import check_address
from ui.cli.console import output
from ui.cli.own_database import with_database

if TYPE_CHECKING:
    from models.store.database import Database

app = typer.Typer(help="Forget a student who asks for it by other ways than the own page.", no_args_is_help=True)


@app.callback()
def student() -> None:
    """Forget a student who asks for it by other ways than the own page."""


@app.command()
def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The student's e-mail address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether it is meant.")] = False,
) -> None:
    """Erase for good all that tells who a student is, as "Forget me" on the own page does."""
    from models.store.forgetting import forget_student, is_known
    from models.tables import utc_now

    # Who was taken in once is forgotten, whatever can't book by now.
    email_key = check_address(address, ()).key

    async def look(database: Database) -> bool:
        async with database.transaction() as session:
            return await is_known(session, email_key)

    async def run(database: Database) -> bool:
        async with database.transaction() as session:
            return await forget_student(session, email_key, utc_now())

    if not with_database(look):
        raise Refused(f"Nothing is known of {address}. Is it spelt as in the mails?", reason="student_unknown")
    if not yes:
        typer.confirm(f"Erase all that tells who {address} is? Nobody can undo this.", abort=True)
    if with_database(run):
        output.print("Name, address and work are erased.")
    else:
        output.print("Name and address are erased. The session under way is being ended, and its files with it.")

"""wod feedback: what people wanted to say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.console import output
from ui.cli.own_database import with_database

if TYPE_CHECKING:
    from models.door_tables import Feedback
    from models.store.database import Database

app = typer.Typer()


@app.command("feedback")
def feedback_command(
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what people wanted to say, oldest first."""
    from models.store.feedback import newest_feedback

    async def read(database: Database) -> list[Feedback]:
        async with database.transaction() as session:
            return list(await newest_feedback(session, limit))

    found = with_database(read)
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    for each in found:
        output.print(
            f"{each.created_at:%Y-%m-%d %H:%M} UTC  {each.email}", style="bold", highlight=False, markup=False
        )
        output.print(f"{each.message}\n", highlight=False, markup=False, soft_wrap=True)
    if not found:
        output.print("Nobody has said anything yet.")

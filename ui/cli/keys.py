"""wod key: the keys by which partners' programs use the API."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from models.errors import Refused
from models.rules.scopes import KEY_PREFIX, Scope, check_key_name, check_scopes, key_digest
from ui.cli.console import output
from ui.cli.own_database import with_database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.door_tables import ApiKey
    from models.store.database import Database

app = typer.Typer(help="Add, list and revoke the keys of partners' programs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]


@app.command()
def add(
    name: Name,
    scope: Annotated[list[Scope], typer.Option(help="What it is for; may be repeated.")],
    rate: Annotated[str, typer.Option(metavar="RATE", help="How many requests it may make.")] = "60/minute",
    bookings: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="How many unfinished bookings it may have.")
    ] = 20,
) -> None:
    """Make a key and print it, this once: only its digest is kept."""
    from models.store.partners import save_key
    from models.tables import utc_now

    key = KEY_PREFIX + secrets.token_urlsafe(32)
    _check_rate(rate)
    checked = check_key_name(name), check_scopes(scope)

    async def run(database: Database) -> None:
        async with database.transaction() as session:
            await save_key(
                session,
                name=checked[0],
                key_digest=key_digest(key) or "",
                scopes=checked[1],
                request_rate=rate,
                bookings_at_once=bookings,
                now=utc_now(),
            )

    with_database(run)
    typer.echo(key)


@app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False) -> None:
    """Show all keys, revoked ones included."""
    from models.store.partners import all_keys

    async def run(database: Database) -> Sequence[ApiKey]:
        async with database.transaction() as session:
            return await all_keys(session)

    found = with_database(run)
    if as_json:
        hidden = {"id", "key_digest"}
        typer.echo(json.dumps([each.model_dump(mode="json", exclude=hidden) for each in found], indent=2))
        return
    table = Table("key", "scopes", "requests", "bookings at once", "last used", "revoked", box=None)
    for each in found:
        moments = [f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (each.last_used_at, each.revoked_at)]
        table.add_row(each.name, " ".join(each.scopes), each.request_rate, str(each.bookings_at_once), *moments)
    if found:
        output.print(table)
    else:
        output.print("There is no key yet: `wod key add` makes one.", markup=False)


@app.command()
def revoke(name: Name) -> None:
    """Close a key for good: its bookings go on, and its webhooks are told nothing more."""
    from models.store.partners import revoke_key
    from models.tables import utc_now

    async def run(database: Database) -> None:
        async with database.transaction() as session:
            await revoke_key(session, name, utc_now())

    with_database(run)


def _check_rate(text: str) -> None:
    from limits import parse

    try:
        rate = parse(text)
        is_rate = rate.amount > 0 and rate.get_expiry() > 0
    except ValueError:
        is_rate = False
    if not is_rate:
        raise Refused(f"{text!r} is not a rate. Write one like 60/minute or 1000/hour.", reason="rate_malformed")

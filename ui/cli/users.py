"""wod user: those who log in at the API to manage the programme."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import Refused
from models.rules.roles import Role
from ui.cli.console import output
from ui.cli.own_database import with_database

if TYPE_CHECKING:
    from models.store.database import Database

app = typer.Typer(help="Add, change and remove those who manage the programme.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of the standard input.")
]
Roles = Annotated[
    list[Role] | None, typer.Option("--role", help="What the user may do; may be repeated; without one: user.")
]


@app.command()
def add(
    name: Name,
    email: Annotated[str, typer.Option(help="The user's e-mail address.")],
    role: Roles = None,
    password_stdin: FromStdin = False,
) -> None:
    """Add a user; the password is asked for."""
    from tasks.users import add_user

    password = _password(from_stdin=password_stdin)
    user = with_database(
        lambda database: add_user(database, username=name, email=email, password=password, roles=role or [])
    )
    output.print(f"{user.username} can log in: {', '.join(user.roles)}.", highlight=False)


@app.command("list")
def list_users(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Show all users."""
    from models.store.users import users

    async def read(database: Database) -> list[dict[str, object]]:
        async with database.transaction() as session:
            return [
                {"username": each.username, "email": each.email, "roles": each.roles}
                for each in await users(session)
            ]

    found = with_database(read)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for each in found:
        output.print(f"{each['username']}  {each['email']}  {each['roles']}", highlight=False, markup=False)
    if not found:
        output.print("There is no user yet: `wod user add` adds one.", markup=False)


@app.command()
def change(
    name: Name,
    email: Annotated[str | None, typer.Option(help="The new e-mail address.")] = None,
    role: Roles = None,
) -> None:
    """Change a user's address or roles; new roles take the place of all that the user had."""
    from tasks.users import change_user

    async def run(database: Database) -> None:
        await change_user(database, await _id_of(database, name), email=email, roles=role)

    with_database(run)


@app.command()
def password(name: Name, password_stdin: FromStdin = False) -> None:
    """Give a user another password, and end all log-ins with the old one."""
    from tasks.users import change_user

    new = _password(from_stdin=password_stdin)

    async def run(database: Database) -> None:
        await change_user(database, await _id_of(database, name), password=new)

    with_database(run)


@app.command()
def remove(name: Name) -> None:
    """Remove a user, and end all log-ins."""
    from models.store.users import remove_user

    async def run(database: Database) -> None:
        user_id = await _id_of(database, name)
        async with database.transaction() as session:
            await remove_user(session, user_id)

    with_database(run)


async def _id_of(database: Database, name: str) -> int:
    from models.store.bookings import known_id
    from models.store.users import unknown_user, user_by_name

    async with database.transaction() as session:
        user = await user_by_name(session, name.strip().lower())
    if user is None:
        raise unknown_user()
    return known_id(user.id)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Refused(
            "There is no terminal to ask for the password at. Give it with --password-stdin.",
            reason="password_missing",
        )
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return asked

"""The connection to PostgreSQL: what its errors tell."""

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

pytestmark = pytest.mark.integration


async def test_errors_quote_no_row(database):
    address = "ana@example.org"

    async def insert():
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO addressed VALUES (:email)"), {"email": address})

    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE addressed (email text UNIQUE)"))
    await insert()
    with pytest.raises(IntegrityError, match="duplicate key") as raised:
        await insert()
    told = "".join(traceback.format_exception(raised.value))
    assert "duplicate key" in told
    assert address not in told

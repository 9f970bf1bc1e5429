"""The connection to PostgreSQL: one pool a process, one transaction a unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy import event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

WORK_CHANNEL = "wod_work"
# What is said on the channel when partners are to be told something, when a seat may have come free for those
# who wait, and when somebody wants to know how far a session is; nothing is said of bookings' work.
DELIVERIES = "deliveries"
SEATS = "seats"
MEASURES = "measures"

# What a transaction yields, by a name for those who need not know the library.
Session = AsyncSession

# Longest wait for a free connection: shorter than a request's own limit, so that it fails with a reason.
_POOL_SECONDS = 10
_STATEMENT_SECONDS = 30


class Database:
    """A pool of connections to the platform's PostgreSQL.

    `url` is `postgresql://user:password@host:port/name`. Nothing connects before the first transaction.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine: AsyncEngine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            # A restarted PostgreSQL costs one ping, not one failed booking.
            pool_pre_ping=True,
            # A database that is gone without a word fails an attempt instead of holding it for ever.
            connect_args={
                "connect_timeout": _POOL_SECONDS,
                "options": f"-c statement_timeout={_STATEMENT_SECONDS}s",
            },
            # Names and addresses of students stay out of error texts, and so out of logs.
            hide_parameters=True,
        )
        event.listen(self._engine.sync_engine, "handle_error", _leave_details_out)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Yield a session whose work is committed at the end, or undone when an exception leaves."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def listen(self) -> AsyncIterator[str]:
        """Yield what is said whenever somebody announces work; raise psycopg.OperationalError when cut off."""
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(f"LISTEN {WORK_CHANNEL}")
            yield ""  # what was announced before the connection stood
            async for notice in connection.notifies():
                yield notice.payload

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _leave_details_out(context: ExceptionContext) -> None:
    """Take from an error what PostgreSQL adds to its message: the DETAIL quotes the row that it is about."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args and isinstance(error.args[0], str):
            message, *others = error.args
            error.args = (message.partition("\nDETAIL:")[0], *others)

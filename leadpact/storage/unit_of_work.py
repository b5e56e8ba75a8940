"""One message, one transaction: the rows that changed and the events that say so are committed together or not at all.

    async with uow.transaction() as tx:
        await tx.execute(...)
        tx.emit(LeadAssigned(...))

The edge (an endpoint, a consumer, a sweep) opens the transaction; a use case takes ``tx`` and never commits. Emitted events are
written to the outbox as the last statement, after every row lock is held: two transactions on one lead are serialised by its row
before they take their places in the log, so the log's order per lead is the order of the commits. After the commit, readers
in this process are poked.

A commit whose answer was lost (the connection broke) is *unknown*, not failed: it is reported as ``Transient``, and whoever
tries again meets the inbox, the cursor or the idempotency key and sees that it had worked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from leadpact.errors import Transient
from leadpact.events.base import Event
from leadpact.ids import EventId
from leadpact.storage.outbox import Announcement, announce
from leadpact.storage.wake import Wake

# Classes and codes after which the same transaction may succeed: https://www.postgresql.org/docs/current/errcodes-appendix.html
# 08 connection, 40 rollback (serialisation, deadlock), 53 out of resources, 57 operator intervention, 55P03 lock not available,
# 25P03 and 25P04 are sessions that the server's own time-outs ended.
_PASSING_CLASSES = ("08", "40", "53", "57")
_PASSING_CODES = ("55P03", "25P03", "25P04")
_QUERY_CANCELED = "57014"


class Transaction:
    """An open transaction: a connection to run statements on, and the events to announce with it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.announcements: list[Announcement] = []

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run one statement in this transaction."""
        return await self.connection.execute(statement, dict(parameters) if parameters else None)

    def emit(self, event: Event, *, caused_by: EventId | None = None) -> None:
        """Announce ``event`` if, and only if, this transaction commits."""
        self.announcements.append(Announcement.of(event, caused_by))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """On an error inside, undo what was done and announced inside, and let the error out."""
        announced = len(self.announcements)
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            del self.announcements[announced:]
            raise


class UnitOfWork:
    """Opens transactions for one service. ``source`` is the service's name in the events' envelopes."""

    def __init__(self, engine: AsyncEngine, *, source: str, wake: Wake) -> None:
        self._engine = engine
        self._source = source
        self._wake = wake

    def named(self, source: str) -> UnitOfWork:
        """The same database and the same readers, in the name of another service."""
        return UnitOfWork(self._engine, source=source, wake=self._wake)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit at the end, roll back on any error. A passing database fault comes out as ``Transient``."""
        try:
            async with self._engine.connect() as connection, connection.begin():
                tx = Transaction(connection)
                yield tx
                await announce(tx.connection, self._source, tx.announcements)
        except (DBAPIError, PoolTimeout) as error:
            if is_passing(error):
                raise Transient(f"the database did not take it this time: {_short(error)}") from error
            raise
        self._wake.poke({announcement.topic for announcement in tx.announcements})


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if code := _code(error):
        return code[:2] in _PASSING_CLASSES or code in _PASSING_CODES
    return error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)


def took_too_long(error: BaseException) -> bool:
    """Whether a statement was ended by its time limit: with less to do it may succeed, as it is perhaps never."""
    return isinstance(error, DBAPIError) and _code(error) == _QUERY_CANCELED


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def _short(error: BaseException) -> str:
    """The first line of the driver's message, without the statement and its (personal) parameters."""
    cause = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__

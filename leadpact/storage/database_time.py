"""Follow the database server's clock, also while the server comes and goes."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog
from sqlalchemy import text

from leadpact.clock import DatabaseClock
from leadpact.errors import Transient
from leadpact.storage.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)


async def database_clock(uow: UnitOfWork) -> DatabaseClock:
    """The clock of the database, read once. Raises ``Transient`` if that cannot be."""

    async def read() -> datetime:
        async with uow.transaction() as tx:
            at: datetime = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return at

    clock = DatabaseClock(read)
    await clock.synchronise()
    return clock


async def follow_database(clock: DatabaseClock, stop: asyncio.Event, *, every_seconds: float = 5.0) -> None:
    """Keep ``clock`` right until ``stop``. While the database is away the host's monotonic clock carries it on."""
    while not stop.is_set():
        try:
            await clock.follow(stop, every_seconds=every_seconds)
        except Transient as error:
            log.warning("clock.database_away", reason=str(error))

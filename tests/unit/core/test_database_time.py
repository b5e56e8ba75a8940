from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from leadpact.clock import DatabaseClock
from leadpact.errors import Transient
from leadpact.storage.database_time import follow_database

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


async def test_a_database_that_goes_away_and_comes_back_is_followed_again() -> None:
    stop = asyncio.Event()

    def readings() -> Iterator[datetime | None]:
        yield NOON
        yield None  # away
        yield NOON + timedelta(seconds=1)
        stop.set()
        yield NOON + timedelta(seconds=1)

    left = readings()

    async def read() -> datetime:
        shown = next(left)
        if shown is None:
            raise Transient("the database is away")
        return shown

    clock = DatabaseClock(read, monotonic=lambda: 0.0)
    await clock.synchronise()
    await follow_database(clock, stop, every_seconds=0.001)
    assert clock.now() == NOON + timedelta(seconds=1)

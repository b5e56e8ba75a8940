"""After the story the clock is worth watching: it dwells where people work and hurries where nobody does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from leadpact.clock import ScaledClock
from leadpact.demo.pace import keep_pace
from leadpact.domain.working_calendar import Interval, WorkingCalendar

NINE_TO_FIVE = WorkingCalendar("UTC", {day: [Interval(9 * 3600, 17 * 3600)] for day in range(5)})


@pytest.mark.parametrize(
    ("hour", "a_second_later"),
    [(12, timedelta(minutes=1)), (20, timedelta(hours=1))],
    ids=["a minute a second by day", "an hour a second by night"],
)
async def test_the_clock_runs_by_the_hours_of_the_shop(hour: int, a_second_later: timedelta) -> None:
    seconds = 0.0
    began_at = datetime(2026, 5, 26, hour, tzinfo=UTC)
    clock = ScaledClock(began_at, 1, monotonic=lambda: seconds)
    stop = asyncio.Event()
    pacing = asyncio.create_task(keep_pace(clock, NINE_TO_FIVE, stop))
    await asyncio.sleep(0)
    seconds = 1.0
    assert clock.now() == began_at + a_second_later
    stop.set()
    await pacing


async def test_the_night_ends_at_the_opening() -> None:
    seconds = 0.0
    clock = ScaledClock(datetime(2026, 5, 26, 8, 59, 59, 999_000, tzinfo=UTC), 1, monotonic=lambda: seconds)
    stop = asyncio.Event()
    pacing = asyncio.create_task(keep_pace(clock, NINE_TO_FIVE, stop))
    await asyncio.sleep(0)
    seconds = 0.001
    for _ in range(100):
        await asyncio.sleep(0.001)
    before = clock.now()
    seconds = 1.001
    assert clock.now() - before == timedelta(minutes=1)
    stop.set()
    await pacing

"""Keep the demo worth watching after the story: a minute a second while the shop is open, quickly over its nights and weekends."""

from __future__ import annotations

import asyncio

from leadpact.clock import ScaledClock, wait_for
from leadpact.domain.working_calendar import WorkingCalendar

OPEN = 60.0
CLOSED = 3_600.0


async def keep_pace(clock: ScaledClock, hours: WorkingCalendar, stop: asyncio.Event) -> None:
    """Run ``clock`` by ``hours`` until ``stop``."""
    while not stop.is_set():
        now = clock.now()
        opens_at = hours.next_open(now)
        is_open = opens_at <= now
        clock.run_at(OPEN if is_open else CLOSED)
        await wait_for(stop, 1.0 if is_open else min(1.0, clock.seconds_until(opens_at)))

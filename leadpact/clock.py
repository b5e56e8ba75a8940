"""Be the only place that asks what time it is.

Every decision about time takes ``now`` as a value; this module is where the value comes from. Production follows
the database's clock, so that a host whose own clock is wrong can neither fire a deadline early nor date a record
wrongly. The demo runs on a scaled clock, tests on one that they move by hand.

How the database's clock is followed: a reading D that was asked for at monotonic t0 and answered at t1 was taken
somewhere between; so at t1 the database shows *at least* D. ``now()`` is D plus the monotonic time since t1:
never ahead of the database, behind it by one round trip at the most. A reading that agrees with what ``now()`` says changes nothing: a slow
answer sets no time back, which would put what happens next before what has happened. Between readings the host's monotonic clock
carries it, which no step of the host's wall clock touches. A reading that disagrees with the one before by more
than ``STEP_TOLERANCE`` means that the database's clock was stepped or the host was suspended: the clock then keeps its
old course and calls itself unsteady until three readings in a row agree with each other. Deadlines do not fire while it is unsteady.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

STEP_TOLERANCE = timedelta(seconds=2)
READINGS_TO_TRUST_A_STEP = 3


class Clock(Protocol):
    """What the rest of the code may know about time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def seconds_until(self, at: datetime) -> float:
        """Real seconds to wait until this clock shows ``at``; 0 if it already does."""
        ...

    @property
    def is_steady(self) -> bool:
        """False while the source of time has just been stepped and is not trusted to fire deadlines."""
        ...


class DatabaseClock:
    """The database's clock, carried between readings by the host's monotonic clock."""

    def __init__(
        self,
        read: Callable[[], Awaitable[datetime]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._epoch: datetime | None = None
        self._step: timedelta | None = None
        self._agreeing = 0

    def now(self) -> datetime:
        """The database's time, never ahead of it. Raises ``RuntimeError`` before the first reading."""
        if self._epoch is None:
            raise RuntimeError("the clock has not been read yet: await synchronise() first")
        return self._epoch + timedelta(seconds=self._monotonic())

    def seconds_until(self, at: datetime) -> float:
        return max(0.0, (at - self.now()).total_seconds())

    @property
    def is_steady(self) -> bool:
        return self._step is None

    async def synchronise(self) -> None:
        """Take one reading and follow it, or, if it steps, wait for it to be confirmed."""
        asked = self._monotonic()
        shown = await self._read()
        reading, at_the_latest = (shown - timedelta(seconds=at) for at in (self._monotonic(), asked))
        if self._epoch is None:
            self._epoch = reading
            return
        if reading <= self._epoch <= at_the_latest:
            reading = self._epoch
        step = reading - self._epoch
        if abs(step) <= STEP_TOLERANCE:
            self._epoch, self._step, self._agreeing = reading, None, 0
        elif self._step is not None and abs(step - self._step) <= STEP_TOLERANCE:
            self._agreeing += 1
            if self._agreeing >= READINGS_TO_TRUST_A_STEP:
                self._epoch, self._step, self._agreeing = reading, None, 0
        else:
            self._step, self._agreeing = step, 1

    async def follow(self, stop: asyncio.Event, *, every_seconds: float = 5.0) -> None:
        """Keep reading until ``stop``; sooner while a step waits to be confirmed."""
        while not stop.is_set():
            await wait_for(stop, every_seconds if self.is_steady else every_seconds / 5)
            if not stop.is_set():
                await self.synchronise()


class ScaledClock:
    """A clock that starts at ``start`` and runs ``rate`` times as fast as real time, until told otherwise; for the demo."""

    def __init__(
        self, start: datetime, rate: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._start = start.astimezone(UTC)
        self._rate = rate
        self._monotonic = monotonic
        self._started = monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(self._monotonic() - self._started) * self._rate)

    def seconds_until(self, at: datetime) -> float:
        return max(0.0, (at - self.now()).total_seconds() / self._rate)

    @property
    def is_steady(self) -> bool:
        return True

    def run_at(self, rate: float) -> None:
        """Go on from the present instant at another rate. Who sleeps until an instant must look again: its real distance changed."""
        self._start, self._started, self._rate = self.now(), self._monotonic(), rate


async def wait_for(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for the interval or the stop, whichever is first. True if it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True

"""Fire every clock that has come due, once each, however many sweepers run.

A running clock is a row with the moment at which it fires next. One sweep is one transaction:

1. **claim** the rows whose moment has come, oldest first, ``FOR UPDATE SKIP LOCKED``: what another sweeper holds is passed
   over, so sweepers share the work and never wait for each other;
2. **fire**: decide for each, as a pure rule, whether it is a warning or the end;
3. **write** the new state and **announce** it, in the same transaction.

There is no claimed state and nobody who looks after stale claims: a sweeper that dies takes its transaction with it, and its
clocks are free at once. A clock that has fired no longer has that moment, so nothing fires twice, not even when time is set back. Time
comes in as a value from the service's clock, which follows the database and never runs ahead of it; while that clock is unsteady
nothing fires. After an outage clocks fire in the order in which they were due, with the time at which they were.

Between sweeps the loop sleeps until the next moment in the table, but never longer than a poll (another instance may have
opened an earlier clock), and a clock opened in this process wakes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import bindparam, select, text

from leadpact.bus.consume import backoff_seconds
from leadpact.clock import Clock, wait_for
from leadpact.errors import Transient
from leadpact.events import Topic
from leadpact.events.sla import ClockEvent
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer import announce
from leadpact_sla_timer.lead_file import update_clocks
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn, next_moment
from leadpact_sla_timer.tables import sla_clock

log = structlog.get_logger(__name__)

# Written out, because the planner takes the partial index only for a predicate that it can read.
_RUNNING = text("state = 'running'")

# `now` is a bound value. A volatile function in its place could be no index condition: the scan would pass through every
# running clock, unnoticed in a small table and a hundred times later in a large one.
CLAIM = (
    select(sla_clock)
    .where(_RUNNING, sla_clock.c.next_at <= bindparam("now"))
    .order_by(sla_clock.c.next_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_NEXT = select(sla_clock.c.next_at).where(_RUNNING).order_by(sla_clock.c.next_at).limit(1)

# Due and still there: another sweeper holds it, and will be done with it in a moment.
_HELD_BY_ANOTHER_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Fired:
    """A clock that fired: what it is now, what is announced, and for when that was planned."""

    clock: SlaClock
    event: ClockEvent
    planned_at: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, whether more is due, and, if not, when the next clock will be (None: none runs)."""

    fired: Sequence[Fired]
    more: bool
    next_at: datetime | None


def fire(clock: SlaClock, now: datetime) -> Fired:
    """What happens to a running clock whose moment has come. One that is due is not warned about any more."""
    if clock.due_at <= now:
        ended = replace(clock, state=ClockState.BREACHED, next_at=None, breached_at=now)
        return Fired(ended, announce.breached(ended), clock.due_at)
    warning = _latest(clock.warnings, now)
    following = next_moment(clock.warnings, clock.due_at, after=now)
    warned = replace(clock, warned_percent=warning.percent, next_at=following)
    return Fired(warned, announce.warned(warned, warning), warning.at)


def _latest(warnings: Sequence[Warn], now: datetime) -> Warn:
    """Of several warnings that were missed only the last says anything new."""
    return max((warning for warning in warnings if warning.at <= now), key=lambda warning: warning.at)


async def sweep(tx: Transaction, now: datetime, limit: int) -> Swept:
    """Fire at most ``limit`` of the clocks that are due at ``now``, in ``tx``."""
    claimed = await tx.execute(CLAIM, {"now": now, "limit": limit})
    fired = [fire(SlaClock.from_row(row), now) for row in claimed]
    await update_clocks(tx, [one.clock for one in fired])
    for one in fired:
        tx.emit(one.event)
    more = len(fired) == limit
    return Swept(fired, more, None if more else (await tx.execute(_NEXT)).scalar())


class Sweeper:
    """One instance of the sweep. Any number may run, in any number of processes."""

    def __init__(
        self,
        uow: UnitOfWork,
        clock: Clock,
        wake: Wake,
        metrics: TimerMetrics,
        *,
        batch_size: int = 500,
        poll_at_most_seconds: float = 0.5,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._metrics = metrics
        self._batch_size = batch_size
        self._poll_at_most_seconds = poll_at_most_seconds
        # Whoever opens a clock announces it on this topic, and is heard here as soon as it has committed.
        self._sleeper = wake.sleeper([Topic.SLA])

    async def run_once(self) -> Swept:
        """One sweep in one transaction. Fires nothing while the clock is unsteady. Raises ``Transient``."""
        if not self._clock.is_steady:
            log.warning("sla_timer.clock_unsteady")
            return Swept([], more=False, next_at=None)
        async with self._uow.transaction() as tx:
            swept = await sweep(tx, self._clock.now(), self._batch_size)
        self._tell(swept)
        return swept

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until ``stop``. Passing faults are survived with back-off; anything else ends the loop and the process."""
        failures = 0
        while not stop.is_set():
            try:
                swept = await self.run_once()
                failures = 0
            except Transient as error:
                failures += 1
                log.warning("sla_timer.sweep_waits", failures=failures, reason=str(error))
                await wait_for(stop, backoff_seconds(failures))
                continue
            if not swept.more:
                await self._sleeper.wait(stop, self._seconds_to_sleep(swept.next_at))

    def _seconds_to_sleep(self, next_at: datetime | None) -> float:
        if next_at is None:
            return self._poll_at_most_seconds
        seconds = self._clock.seconds_until(next_at) or _HELD_BY_ANOTHER_SECONDS
        return min(seconds, self._poll_at_most_seconds)

    def _tell(self, swept: Swept) -> None:
        now = self._clock.now()
        for one in swept.fired:
            lateness = (now - one.planned_at).total_seconds()
            self._metrics.lateness.labels(one.clock.state).observe(max(0.0, lateness))
            log.info(
                "sla_timer.fired",
                kind=one.event.TYPE,
                clock_id=str(one.clock.id),
                lead_id=str(one.clock.lead_id),
                policy=one.clock.policy,
                planned_at=one.planned_at.isoformat(),
                late_seconds=round(lateness, 3),
            )

"""Fire every clock that has come due, once each, however many sweepers run.

A clock that waits or runs is a row with the moment at which it fires next. One sweep is one transaction:

1. **claim** the rows whose moment has come, oldest first, ``FOR UPDATE SKIP LOCKED``: what another sweeper holds is passed
   over, so sweepers share the work and never wait for each other;
2. **fire**: decide for each, as a pure rule (`fire.py`), whether it starts, warns, is left by its owner, or is breached;
3. **write** the new state and **announce** it, in the same transaction.

A clock for which nothing can be decided (its version of the pact cannot be read any more, or it meets a bug) is put off for some minutes and
told of in the log and the metrics. The others fire; left where it is, it would be claimed first by every sweep.

There is no claimed state and nobody who looks after stale claims: a sweeper that dies takes its transaction with it, and its
clocks are free at once. A clock that has fired no longer has that moment, so nothing fires twice, not even when time is set back. Time
comes in as a value from the service's clock, which follows the database and never runs ahead of it; while that clock is unsteady
nothing fires.

After an outage clocks fire in the order of their oldest missed moment, warnings included, with the time at which they were due, and at a bounded rate: what is
more than a minute late is let through at so many a second, so that the router, the CRM and the people behind it can follow.

Between sweeps the loop sleeps until the next moment in the table, but never longer than a poll (another instance may have
opened an earlier clock), and a clock opened in this process wakes it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, func, select

from leadpact.bus.consume import backoff_seconds
from leadpact.clock import Clock, wait_for
from leadpact.errors import Refused, Transient
from leadpact.events import Topic
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.clock_rows import update_fired
from leadpact_sla_timer.fire import Fired, fire
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import IS_OPEN, sla_clock

log = structlog.get_logger(__name__)

# `now` is a bound value. A volatile function in its place could be no index condition: the scan would pass through every
# running clock, unnoticed in a small table and a hundred times later in a large one. The comparison alone tells the planner that the
# partial index holds whatever it asks for.
CLAIM = (
    select(sla_clock)
    .where(sla_clock.c.next_at <= bindparam("now"))
    .order_by(sla_clock.c.next_at, sla_clock.c.id)  # of one moment, in the order in which they were opened
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_NEXT = select(func.min(sla_clock.c.next_at))
_PACTS = select(sla_clock.c.pact_version).where(IS_OPEN).distinct()

OVERDUE = timedelta(minutes=1)
"""Who is later than this was held up by an outage."""

_PUT_OFF = timedelta(minutes=5)

# After a fault: clocks may have come due meanwhile, and each look costs a connection.
_LOOK_AGAIN_SECONDS = 1.0

# Due and still there: another sweeper holds it, and will be done with it in a moment.
_HELD_BY_ANOTHER_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class PutOff:
    """A clock that has come due and cannot be fired, and why."""

    clock: SlaClock
    because: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, whether more is due, and, if not, when the next clock will be (None: none runs)."""

    fired: Sequence[Fired]
    more: bool
    next_at: datetime | None
    put_off: Sequence[PutOff] = ()

    def overdue(self, now: datetime) -> int:
        """How many of them an outage had held up."""
        return sum(now - one.planned_at > OVERDUE for one in self.fired)


async def sweep(tx: Transaction, book: PactBook, now: datetime, limit: int) -> Swept:
    """Fire at most ``limit`` of the clocks that are due at ``now``, in ``tx``."""
    claimed = [SlaClock.from_row(row) for row in await tx.execute(CLAIM, {"now": now, "limit": limit})]
    pacts = await _pacts(tx, book, {clock.pact_version for clock in claimed})
    done = [_fired(clock, now, pacts[clock.pact_version]) for clock in claimed]
    fired = [one for one in done if isinstance(one, Fired)]
    put_off = [one for one in done if isinstance(one, PutOff)]
    await update_fired(tx, [one.clock for one in done])
    for one in fired:
        if one.event is not None:
            tx.emit(one.event)
    # After an outage one clock may have several moments behind it: it starts, and is due already.
    again = any(one.clock.next_at is not None and one.clock.next_at <= now for one in fired)
    more = again or len(claimed) == limit
    return Swept(fired, more, None if more else (await tx.execute(_NEXT)).scalar(), put_off)


async def _pacts(tx: Transaction, book: PactBook, versions: Iterable[int]) -> dict[int, Pact | Refused]:
    """Each version of the pact, or why it cannot be had."""
    pacts: dict[int, Pact | Refused] = {}
    for version in versions:
        try:
            pacts[version] = (await book.at(tx, version)).pact
        except Refused as error:
            pacts[version] = error
    return pacts


def _fired(clock: SlaClock, now: datetime, pact: Pact | Refused) -> Fired | PutOff:
    later = replace(clock, next_at=now + _PUT_OFF)
    if isinstance(pact, Refused):
        return PutOff(later, str(pact))
    try:
        return fire(clock, now, pact)
    except Exception as error:  # a bug that one clock meets: it is told of, and stops no other's clock
        where = "".join(
            traceback.format_tb(error.__traceback__)
        )  # without its message, which may hold what no log may
        return PutOff(later, f"{type(error).__name__} while firing\n{where}")


class Sweeper:
    """One instance of the sweep. Any number may run, in any number of processes."""

    def __init__(
        self,
        uow: UnitOfWork,
        book: PactBook,
        clock: Clock,
        wake: Wake,
        metrics: TimerMetrics,
        *,
        batch_size: int = 500,
        overdue_per_second: int = 200,
        poll_at_most_seconds: float = 0.5,
    ) -> None:
        self._uow = uow
        self._book = book
        self._clock = clock
        self._metrics = metrics
        self._batch_size = batch_size
        self._overdue_per_second = overdue_per_second
        self._limit = batch_size
        self._poll_at_most_seconds = poll_at_most_seconds
        # Whoever opens a clock announces it on this topic, and is heard here as soon as it has committed.
        self._sleeper = wake.sleeper([Topic.SLA])

    async def run_once(self) -> Swept:
        """One sweep in one transaction. Fires nothing while the clock is unsteady. Raises ``Transient``."""
        if not self._clock.is_steady:
            log.warning("sla_timer.clock_unsteady")
            return Swept([], more=False, next_at=None)
        async with self._uow.transaction() as tx:
            swept = await sweep(tx, self._book, self._clock.now(), self._limit)
        self._tell(swept)
        return swept

    async def look_at_pacts(self) -> None:
        """Say which versions that clocks run under cannot be read, before the first of these clocks comes due."""
        async with self._uow.transaction() as tx:
            versions = (await tx.execute(_PACTS)).scalars().all()
            for version, pact in (await _pacts(tx, self._book, versions)).items():
                if isinstance(pact, Refused):
                    log.error("sla_timer.pact_unreadable", pact_version=version, reason=str(pact))

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until ``stop``. Passing faults are survived with back-off; anything else ends the loop and the process."""
        failures = 0
        has_looked = False
        while not stop.is_set():
            try:
                if not has_looked:
                    await self.look_at_pacts()
                    has_looked = True
                swept = await self.run_once()
                failures = 0
                self._limit = self._batch_size
            except Transient as error:
                failures += 1
                log.warning("sla_timer.sweep_waits", failures=failures, reason=str(error))
                await wait_for(stop, backoff_seconds(failures, at_most=_LOOK_AGAIN_SECONDS))
                continue
            if overdue := swept.overdue(self._clock.now()):
                await self._let_others_follow(stop, overdue)
            elif not swept.more:
                await self._sleeper.wait(stop, self._seconds_to_sleep(swept.next_at))

    async def _let_others_follow(self, stop: asyncio.Event, overdue: int) -> None:
        """Wait for as long as ``overdue`` clocks may take; from now on few at a time, until none is overdue any more."""
        self._limit = min(self._batch_size, max(1, self._overdue_per_second // 4))
        await wait_for(stop, overdue / self._overdue_per_second)

    def _seconds_to_sleep(self, next_at: datetime | None) -> float:
        if next_at is None:
            return self._poll_at_most_seconds
        seconds = self._clock.seconds_until(next_at) or _HELD_BY_ANOTHER_SECONDS
        return min(seconds, self._poll_at_most_seconds)

    def _tell(self, swept: Swept) -> None:
        now = self._clock.now()
        for put_off in swept.put_off:
            self._metrics.put_off.inc()
            log.error(
                "sla_timer.clock_put_off",
                clock_id=str(put_off.clock.id),
                lead_id=str(put_off.clock.lead_id),
                policy=put_off.clock.policy,
                pact_version=put_off.clock.pact_version,
                reason=put_off.because,
            )
        for one in swept.fired:
            lateness = (now - one.planned_at).total_seconds()
            self._metrics.lateness.labels(one.clock.state).observe(max(0.0, lateness))
            log.info(
                "sla_timer.fired",
                kind=one.event.TYPE if one.event else "held back in quiet hours",
                clock_id=str(one.clock.id),
                lead_id=str(one.clock.lead_id),
                policy=one.clock.policy,
                planned_at=one.planned_at.isoformat(),
                late_seconds=round(lateness, 3),
            )

"""Measure how late clocks fire, with many that run: a steady trickle, then thousands due at one instant.

Lateness is what the service itself logs: the database's time after the commit, less the time at which the clock was due. All sweepers share
one process, as they do in `leadpact up`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from time import perf_counter
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.ground import Server
from bench.report import Report
from leadpact.clock import DatabaseClock
from leadpact.ids import ClockId, new_id
from leadpact.storage.bulk import insert_rows
from leadpact.storage.database_time import database_clock, follow_database
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.sweep import CLAIM, Sweeper
from leadpact_sla_timer.tables import sla_clock

TRICKLE_PER_SECOND = 200
TRICKLE_SECONDS = 10
LEAD_TIME = timedelta(seconds=3)
FAR_AWAY = timedelta(days=30)


class Firings:
    """What the service logs of each clock that fires: how late it was."""

    def __init__(self) -> None:
        self.late_seconds: list[float] = []
        self._wanted = 0
        self._enough = asyncio.Event()

    def collect(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog that keeps these lines to itself."""
        if event["event"] != "sla_timer.fired":
            return event
        self.late_seconds.append(event["late_seconds"])
        if len(self.late_seconds) >= self._wanted:
            self._enough.set()
        raise structlog.DropEvent

    async def next(self, count: int) -> None:
        """Wait for ``count`` clocks to fire from here on."""
        self.late_seconds.clear()
        self._wanted = count
        self._enough.clear()
        await self._enough.wait()

    def percentiles_ms(self) -> dict[str, int]:
        """How late, in milliseconds."""
        cuts = quantiles(self.late_seconds, n=100)
        figures = {
            "least": min(self.late_seconds),
            "p50": cuts[49],
            "p99": cuts[98],
            "most": max(self.late_seconds),
        }
        return {name: round(1000 * late) for name, late in figures.items()}


@dataclass(frozen=True, slots=True)
class Clocks:
    """How much to measure: ``running`` clocks that are not due, ``burst`` that are due at one instant."""

    running: int = 100_000
    burst: int = 10_000
    sweepers: int = 2


async def fire_timers(server: Server, clocks: Clocks, report: Report) -> None:
    """One run on a fresh database."""
    firings = Firings()
    structlog.configure(
        processors=[firings.collect, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    async with server.ground() as ground:
        uow = ground.uow("sla-timer")
        clock = await database_clock(uow)
        await _start_clocks(uow, [clock.now() + FAR_AWAY] * clocks.running, spread=timedelta(days=1))
        report.progress("timers")
        report.say(f"\n{await _plan(ground.engine, clock.now())}")
        async with _sweeping(uow, clock, clocks.sweepers):
            trickle = await _trickle(uow, clock, firings)
            burst, seconds = await _burst(uow, clock, firings, clocks.burst)
    report.table(
        f"ms that clocks fire late, beside {clocks.running:,} that are not due, {clocks.sweepers} sweepers",
        ("", *trickle),
        [
            [f"{TRICKLE_PER_SECOND} a second for {TRICKLE_SECONDS} s", *map(str, trickle.values())],
            [f"{clocks.burst:,} at one instant", *map(str, burst.values())],
        ],
    )
    report.say(f"the burst was drained in {seconds:.2f} s: {clocks.burst / seconds:,.0f} a second")
    report.keep("timers", {"trickle_ms": trickle, "burst_ms": burst, "burst_seconds": round(seconds, 2)})


async def _trickle(uow: UnitOfWork, clock: DatabaseClock, firings: Firings) -> dict[str, int]:
    count = TRICKLE_PER_SECOND * TRICKLE_SECONDS
    first = clock.now() + LEAD_TIME
    await _start_clocks(uow, [first + timedelta(seconds=n / TRICKLE_PER_SECOND) for n in range(count)])
    await firings.next(count)
    return firings.percentiles_ms()


async def _burst(
    uow: UnitOfWork, clock: DatabaseClock, firings: Firings, count: int
) -> tuple[dict[str, int], float]:
    """How late they were, and the seconds that all took."""
    due_at = clock.now() + LEAD_TIME + timedelta(seconds=count / 5_000)
    await _start_clocks(uow, [due_at] * count)
    await asyncio.sleep(clock.seconds_until(due_at))
    began = perf_counter()
    await firings.next(count)
    return firings.percentiles_ms(), perf_counter() - began


@asynccontextmanager
async def _sweeping(uow: UnitOfWork, clock: DatabaseClock, sweepers: int) -> AsyncIterator[None]:
    stop, metrics, wake = asyncio.Event(), TimerMetrics(CollectorRegistry()), Wake()
    async with asyncio.TaskGroup() as group:
        group.create_task(follow_database(clock, stop))
        for _ in range(sweepers):
            group.create_task(Sweeper(uow, clock, wake, metrics).run(stop))
        yield
        stop.set()


async def _start_clocks(
    uow: UnitOfWork, due_times: list[datetime], *, spread: timedelta = timedelta(0)
) -> None:
    """One running clock per due time; ``spread`` sets them apart evenly."""
    step = spread / len(due_times)
    for start in range(0, len(due_times), 5_000):
        batch = due_times[start : start + 5_000]
        rows = [_clock(due_at + (start + n) * step).to_row() for n, due_at in enumerate(batch)]
        async with uow.transaction() as tx:
            await insert_rows(tx, sla_clock, rows)
    async with uow.transaction() as tx:
        await tx.execute(text("ANALYZE sla_clock"))


def _clock(due_at: datetime) -> SlaClock:
    return SlaClock(
        id=ClockId(new_id()),
        lead_id=new_id(),
        assignment_id=new_id(),
        policy="first-touch",
        pact_version=1,
        rep_id="ana",
        rep_name="Ana",
        rep_timezone="UTC",
        hop=1,
        target="2 business hours",
        target_seconds=7200,
        calendar="utc",
        timezone="UTC",
        stops=("contacted",),
        warnings=(),
        reassign_at_most=3,
        escalate_to="boss",
        started_at=due_at - timedelta(hours=2),
        due_at=due_at,
        state=ClockState.RUNNING,
        next_at=due_at,
    )


async def _plan(engine: AsyncEngine, now: datetime) -> str:
    """How the claim finds nothing among all that run, planned as for any value."""
    claim = str(CLAIM.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
    claim = claim.replace("%(now)s", "$1").replace("%(limit)s", "$2")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.exec_driver_sql(f"PREPARE claim (timestamptz, int) AS {claim}")
        explain = f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) EXECUTE claim ('{now}', 500)"
        lines = [line for (line,) in await connection.exec_driver_sql(explain)]
        await connection.exec_driver_sql("DEALLOCATE claim")
    return "\n".join(f"  {line}" for line in lines)

"""Measure how late clocks fire, with many that run: a steady trickle, then thousands due at one instant.

    python -m bench.timers [--clocks 100000] [--burst 10000] [--sweepers 2]

Starts a PostgreSQL of its own with the product's settings. Lateness is what the service itself logs: the database's time after the
commit, less the time at which the clock was due. All sweepers share one process, as they do in `leadpact up`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.clock import DatabaseClock
from leadpact.ids import ClockId, new_id
from leadpact.storage.bulk import insert_rows
from leadpact.storage.database_time import database_clock, follow_database
from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from leadpact.storage.tables import outbox
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

    def __str__(self) -> str:
        cuts = quantiles(self.late_seconds, n=100)
        figures = {
            "least": min(self.late_seconds),
            "p50": cuts[49],
            "p99": cuts[98],
            "most": max(self.late_seconds),
        }
        return "late by " + ", ".join(f"{name} {1000 * late:.0f} ms" for name, late in figures.items())


def main() -> None:
    """Run everything and print it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clocks", type=int, default=100_000, help="running clocks that are not due")
    arguments.add_argument("--burst", type=int, default=10_000, help="clocks due at one instant")
    arguments.add_argument("--sweepers", type=int, default=2)
    asyncio.run(measure(arguments.parse_args()))


async def measure(options: argparse.Namespace) -> None:
    """One run on a fresh server."""
    firings = Firings()
    structlog.configure(processors=[firings.collect, structlog.processors.JSONRenderer()])
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-bench-") as folder,
        EmbeddedPostgres.start(Path(folder)) as server,
    ):
        engine = create_engine(server.url, application="bench", pool_size=options.sweepers + 2)
        await _create_tables(engine)
        uow = UnitOfWork(engine, source="bench", wake=Wake())
        clock = await database_clock(uow)
        await _start_clocks(uow, [clock.now() + FAR_AWAY] * options.clocks, spread=timedelta(days=1))
        print(f"{options.clocks} running clocks, {options.sweepers} sweepers")
        print(await _plan(engine, clock.now()))
        async with _sweeping(uow, clock, options.sweepers):
            await _trickle(uow, clock, firings)
            await _burst(uow, clock, firings, options.burst)
        await engine.dispose()


async def _trickle(uow: UnitOfWork, clock: DatabaseClock, firings: Firings) -> None:
    count = TRICKLE_PER_SECOND * TRICKLE_SECONDS
    first = clock.now() + LEAD_TIME
    await _start_clocks(uow, [first + timedelta(seconds=n / TRICKLE_PER_SECOND) for n in range(count)])
    await firings.next(count)
    print(f"{TRICKLE_PER_SECOND} due a second for {TRICKLE_SECONDS} s: {firings}")


async def _burst(uow: UnitOfWork, clock: DatabaseClock, firings: Firings, count: int) -> None:
    due_at = clock.now() + LEAD_TIME + timedelta(seconds=count / 5_000)
    await _start_clocks(uow, [due_at] * count)
    await asyncio.sleep(clock.seconds_until(due_at))
    began = perf_counter()
    await firings.next(count)
    took = perf_counter() - began
    print(f"{count} due at one instant: drained in {took:.2f} s, {count / took:.0f} a second; {firings}")


@asynccontextmanager
async def _sweeping(uow: UnitOfWork, clock: DatabaseClock, sweepers: int) -> AsyncIterator[None]:
    stop, metrics, wake = asyncio.Event(), TimerMetrics(CollectorRegistry()), Wake()
    async with asyncio.TaskGroup() as group:
        group.create_task(follow_database(clock, stop))
        for _ in range(sweepers):
            group.create_task(Sweeper(uow, clock, wake, metrics).run(stop))
        yield
        stop.set()


async def _create_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for table in (outbox, sla_clock):
            await connection.run_sync(table.create)


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


if __name__ == "__main__":
    main()

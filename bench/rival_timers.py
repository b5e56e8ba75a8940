"""Set up the named baselines of the timer benchmark: scheduled jobs of procrastinate and of APScheduler, on the same server.

Their task is the least that a breach is: one row. (Leadpact updates the clock and announces the event: two.) Each has fewer jobs waiting than
Leadpact has clocks, since loading them takes long; none works while another is measured.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from typing import Protocol
from uuid import uuid4

from procrastinate.types import JSONDict
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from bench.baseline import apscheduler_timers, procrastinate_timers
from bench.ground import Ground
from bench.lateness import Lateness

LOOK_SECONDS = 0.05
"""How often it is looked whether a burst is over."""
FAR_AWAY = timedelta(days=30)

_AT_ONCE = 5_000
_START_SECONDS = 6.0
_JOBS_LOADED_PER_SECOND = 2_000
_PATIENCE_SECONDS = 300.0


class Rival(Protocol):
    """Something that fires timers: how it is told apart, what it had in store, and one burst."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> str:
        """How it was set up, for the report."""
        ...

    async def load(self, waiting: int) -> None:
        """Make its tables, and ``waiting`` jobs that are due in a month."""
        ...

    async def burst(self, count: int) -> Lateness:
        """Let ``count`` jobs become due at one instant."""
        ...


@dataclass(frozen=True, slots=True)
class Procrastinate:
    """Where the due jobs stand among the waiting ones decides: it looks for the next job in the order of their ids, whatever their times."""

    ground: Ground
    due_were_deferred_last: bool = False

    @property
    def name(self) -> str:
        order = "last" if self.due_were_deferred_last else "first"
        return f"procrastinate, the due deferred {order}"

    @property
    def settings(self) -> str:
        rival = procrastinate_timers
        return (
            f"procrastinate {version('procrastinate')}: {rival.PROCESSES} processes, {rival.WORKERS_PER_PROCESS} workers in each, "
            f"concurrency {rival.CONCURRENCY}, polls after {rival.POLL_SECONDS:g} s, uvloop"
        )

    async def load(self, waiting: int) -> None:
        app, _ = procrastinate_timers.create_app(_libpq(self.ground))
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
        await _create_breaches(self.ground)
        # The ids are far from those that the sequence gives out to the due: all higher, or all lower.
        first = -waiting if self.due_were_deferred_last else 1_000_000_000
        jobs = text(
            """
            INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, scheduled_at)
            SELECT n, :queue, :task, jsonb_build_object('clock_id', gen_random_uuid()), now() + CAST(:away AS interval)
            FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
            """
        )
        for start in range(first, first + waiting, _AT_ONCE):
            values = {
                "queue": procrastinate_timers.QUEUE,
                "task": procrastinate_timers.TASK,
                "away": FAR_AWAY,
                "first": start,
                "last": min(start + _AT_ONCE, first + waiting) - 1,
            }
            async with self.ground.engine.begin() as connection:
                await connection.execute(jobs, values)
        await self.ground.tidy()

    async def burst(self, count: int) -> Lateness:
        due_at = await _soon(self.ground, count)
        app, breach = procrastinate_timers.create_app(_libpq(self.ground))
        async with app.open_async():
            due = breach.configure(schedule_at=due_at)
            for start in range(0, count, _AT_ONCE):
                some = range(start, min(start + _AT_ONCE, count))
                jobs: list[JSONDict] = [{"clock_id": str(uuid4())} for _ in some]
                await due.batch_defer_async(*jobs)
        await self.ground.tidy()
        module = procrastinate_timers.__name__
        async with _working(self.ground, module, procrastinate_timers.PROCESSES, due_at):
            return await _breaches(self.ground, count, due_at)


@dataclass(frozen=True, slots=True)
class APScheduler:
    """It takes all due jobs at once, hands each to a thread and deletes it, one transaction each, before the thread is done: at most once."""

    ground: Ground

    @property
    def name(self) -> str:
        return "APScheduler"

    @property
    def settings(self) -> str:
        return (
            f"APScheduler {version('apscheduler')}: one process, SQLAlchemy job store through psycopg, {apscheduler_timers.THREADS} threads, "
            "misfire_grace_time off"
        )

    async def load(self, waiting: int) -> None:
        await _create_breaches(self.ground)
        store = apscheduler_timers.create_store(_libpq(self.ground))
        await asyncio.to_thread(apscheduler_timers.jobs_table(store).create, store.engine)
        await self._add([datetime.now(UTC) + FAR_AWAY + timedelta(seconds=n) for n in range(waiting)])

    async def burst(self, count: int) -> Lateness:
        due_at = await _soon(self.ground, count)
        await self._add([due_at] * count)
        async with _working(self.ground, apscheduler_timers.__name__, 1, due_at):
            return await _breaches(self.ground, count, due_at)

    async def _add(self, run_dates: Sequence[datetime]) -> None:
        store = apscheduler_timers.create_store(_libpq(self.ground))
        rows = apscheduler_timers.stored_jobs(run_dates)
        while some := list(islice(rows, _AT_ONCE)):
            async with self.ground.engine.begin() as connection:
                await connection.execute(insert(apscheduler_timers.jobs_table(store)), some)
        await self.ground.tidy()


def _libpq(ground: Ground) -> str:
    return make_url(ground.url).set(drivername="postgresql").render_as_string(hide_password=False)


async def _create_breaches(ground: Ground) -> None:
    async with ground.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE breach (clock_id text NOT NULL)"))


async def _soon(ground: Ground, count: int) -> datetime:
    """An instant that leaves time to load ``count`` jobs and to start the worker."""
    async with ground.engine.begin() as connection:
        await connection.execute(text("TRUNCATE breach"))
        now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now + timedelta(seconds=_START_SECONDS + count / _JOBS_LOADED_PER_SECOND)


async def _breaches(ground: Ground, count: int, due_at: datetime) -> Lateness:
    """Wait until all jobs have left their row, and read when."""
    number = text("SELECT count(*) FROM breach")
    late = text(
        "SELECT clock_id, extract(epoch FROM pg_xact_commit_timestamp(xmin) - :due_at) AS late FROM breach"
    )
    async with asyncio.timeout(_PATIENCE_SECONDS), ground.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while (await connection.execute(number)).scalar_one() < count:
            await asyncio.sleep(LOOK_SECONDS)
        rows = (await connection.execute(late, {"due_at": due_at})).all()
    if not len(rows) == len({row.clock_id for row in rows}) == count:
        raise AssertionError(f"{count} jobs of a rival have left {len(rows)} rows")
    return Lateness([float(row.late) for row in rows])


@asynccontextmanager
async def _working(ground: Ground, module: str, processes: int, due_at: datetime) -> AsyncIterator[None]:
    """Its processes, at work before the jobs are due."""
    command = (sys.executable, "-m", module, f"--database-url={_libpq(ground)}")
    workers = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        for _ in range(processes)
    ]
    try:
        for worker in workers:
            assert worker.stdout
            if await worker.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{module} has ended")
        if datetime.now(UTC) >= due_at:
            raise RuntimeError(
                f"{module} was not ready when its jobs were due: the machine is too busy to measure"
            )
        yield
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.terminate()
            await worker.wait()

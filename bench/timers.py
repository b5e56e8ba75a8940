"""Measure how late clocks fire while a million run: a steady trickle, ten thousand due at one instant, and the same with PostgreSQL killed in the middle.

Beside it, ten thousand scheduled jobs of procrastinate and of APScheduler on the same server, in turns. All are judged by when PostgreSQL committed that a timer
had fired. All sweepers share one process, as they do in `leadpact up`, and write their log lines (to nowhere).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from time import perf_counter

from prometheus_client import CollectorRegistry
from sqlalchemy import bindparam, func, select, text

from bench.claim_plan import PLAN_MODES, check_index, check_plan, claim_plan, in_short
from bench.ground import Ground, Server
from bench.lateness import PERCENTILES, Lateness, times, typical
from bench.machine import Others
from bench.report import Report
from bench.rival_timers import FAR_AWAY, LOOK_SECONDS, APScheduler, Procrastinate, Rival
from leadpact.clock import DatabaseClock
from leadpact.errors import Transient
from leadpact.events import SlaBreached
from leadpact.ids import ClockId, new_id
from leadpact.pact.book import PactBook
from leadpact.runtime.logging import configure_logging
from leadpact.storage.bulk import insert_rows
from leadpact.storage.database_time import database_clock, follow_database
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.sweep import Sweeper
from leadpact_sla_timer.tables import sla_clock

LEADPACT = "leadpact"
TRICKLE_PER_SECOND = 200
TRICKLE_SECONDS = 10

_LEAD_TIME = timedelta(seconds=3)
_CLOCKS_OPENED_PER_SECOND = 5_000
_AT_ONCE = 20_000
_PATIENCE_SECONDS = 120.0
_TRIES_TO_HIT = 5

# What makes a copy of a clock another one; all else is as in the original.
_OF_EACH_COPY = {
    "id": "uuidv7()",
    "lead_id": "uuidv7()",
    "subject_id": "uuidv7()",
    "assignment_id": "uuidv7()",
    "due_at": "o.due_at + n * CAST(:apart AS interval)",
    "next_at": "o.next_at + n * CAST(:apart AS interval)",
}
_COPY = text(
    f"INSERT INTO sla_clock ({', '.join(column.name for column in sla_clock.c)}) "
    f"SELECT {', '.join(_OF_EACH_COPY.get(column.name, f'o.{column.name}') for column in sla_clock.c)} "
    "FROM sla_clock o, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n WHERE o.id = :original"
)

_UNFIRED = select(func.count()).select_from(sla_clock).where(sla_clock.c.next_at <= bindparam("due_at"))
_ANNOUNCED = text(
    f"""
    SELECT data ->> 'clock_id' AS clock_id, extract(epoch FROM pg_xact_commit_timestamp(xmin) - occurred_at) AS late
    FROM outbox WHERE topic = '{SlaBreached.TOPIC}' AND type = '{SlaBreached.TYPE}' AND occurred_at BETWEEN :first AND :last
    """
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """How much to measure: ``running`` clocks that are not due, ``burst`` that are due at one instant; the rivals have ``waiting`` jobs instead."""

    rounds: int = 3
    running: int = 1_000_000
    burst: int = 10_000
    waiting: int = 100_000
    behind: int = 200
    """How many jobs a rival gets that would take minutes over a whole burst."""
    sweepers: int = 2


@dataclass(frozen=True, slots=True)
class Outage:
    """A burst that PostgreSQL was killed in."""

    lateness: Lateness
    down_seconds: float
    back_at: float
    """When it took connections again, in seconds from when the clocks were due."""

    @property
    def fired_before(self) -> int:
        """How many had fired when it was gone."""
        return sum(late < self.back_at for late in self.lateness.seconds)

    @property
    def to_catch_up(self) -> float:
        """Seconds from then until all had fired."""
        return self.lateness.until_all - self.back_at


Rounds = Mapping[str, Sequence[Lateness]]


async def fire_timers(server: Server, clocks: Clocks, report: Report) -> None:
    """Everything, each contender on a fresh database of its own."""
    async with (
        server.ground() as ours,
        server.ground() as first,
        server.ground() as last,
        server.ground() as aps,
    ):
        report.progress(f"timers: {clocks.running:,} clocks start to run")
        leadpact = await Leadpact.start(ours, clocks)
        rivals: list[Rival] = [Procrastinate(first), APScheduler(aps)]
        behind = Procrastinate(last, due_were_deferred_last=True)
        for rival in (*rivals, behind):
            report.progress(f"timers: {clocks.waiting:,} jobs for {rival.name}")
            await rival.load(clocks.waiting)
        _tell_plans(await leadpact.plans(), clocks, report)
        report.progress("timers: a trickle")
        trickle = await leadpact.trickle()
        rounds: dict[str, list[Lateness]] = defaultdict(list)
        busy: dict[str, list[float]] = defaultdict(list)
        for number in range(clocks.rounds):
            report.progress(f"timers: bursts, round {number + 1} of {clocks.rounds}")
            contenders: tuple[Leadpact | Rival, ...] = (leadpact, *rivals)
            for contender in contenders:
                others = Others()
                rounds[contender.name].append(await contender.burst(clocks.burst))
                busy[contender.name].append(others.cores())
        report.progress(f"timers: {behind.name}")
        others = Others()
        rounds[behind.name].append(await behind.burst(clocks.behind))
        busy[behind.name].append(others.cores())
        _tell_bursts(trickle, rounds, busy, clocks, report)
        for rival in rivals:
            report.say(f"  {rival.settings}")
        report.progress("timers: PostgreSQL is killed in a burst")
        outages = [await leadpact.burst_with_outage(server, clocks.burst) for _ in range(clocks.rounds)]
        _tell_outages(outages, clocks, report)


# ---- our side --------------------------------------------------------------------------------------------------------


class Leadpact:
    """The product's sweepers on a table of running clocks."""

    name = LEADPACT

    def __init__(self, ground: Ground, clock: DatabaseClock, sweepers: int) -> None:
        self._ground = ground
        self._uow = ground.uow("sla-timer")
        self._clock = clock
        self._sweepers = sweepers

    @classmethod
    async def start(cls, ground: Ground, clocks: Clocks) -> Leadpact:
        """With ``clocks.running`` clocks that are due in a month, over a day."""
        clock = await database_clock(ground.uow("sla-timer"))
        leadpact = cls(ground, clock, clocks.sweepers)
        due_at = clock.now() + FAR_AWAY
        await leadpact._open_copies(due_at, clocks.running, apart=timedelta(days=1) / clocks.running)
        await ground.tidy()
        return leadpact

    async def plans(self) -> dict[str, str]:
        """The plans of the claim while more than a batch is due. Raises ``AssertionError`` for one that sorts or walks through the table."""
        await check_index(self._ground.engine)
        due_at = self._clock.now()
        await self._open_copies(due_at, 2_000)
        await self._ground.tidy()
        found = {}
        for mode in PLAN_MODES:
            nodes = await claim_plan(self._ground.engine, due_at, mode)
            check_plan(nodes)
            found[mode] = in_short(nodes)
        async with self._sweeping():
            await self._all_fired(due_at)
        return found

    async def trickle(self) -> Lateness:
        """Clocks that are due one after another."""
        count = TRICKLE_PER_SECOND * TRICKLE_SECONDS
        apart = timedelta(seconds=1 / TRICKLE_PER_SECOND)
        first = self._clock.now() + _LEAD_TIME
        await self._open_copies(first, count, apart=apart)
        async with self._sweeping():
            await self._all_fired(first + count * apart)
        return await self._announced(count, first, first + count * apart)

    async def burst(self, count: int) -> Lateness:
        """``count`` clocks that are due at one instant."""
        due_at = await self._open_burst(count)
        async with self._sweeping():
            await self._all_fired(due_at)
        return await self._announced(count, due_at, due_at)

    async def burst_with_outage(self, server: Server, count: int) -> Outage:
        """The same, and PostgreSQL is killed and started again in the middle."""
        for _ in range(_TRIES_TO_HIT):
            outage = await self._outage(server, count)
            if 0 < outage.fired_before < count:
                return outage
        raise RuntimeError("PostgreSQL was never killed in the middle: the machine is too busy to measure")

    async def _outage(self, server: Server, count: int) -> Outage:
        due_at = await self._open_burst(count)
        async with self._sweeping():
            # More fire before it is gone: a process of PostgreSQL ends when it has no work at hand.
            await self._all_fired(due_at, but=count * 3 // 4)
            began = perf_counter()
            await server.crash_and_start_again()
            down_seconds = perf_counter() - began
            back_at = (self._clock.now() - due_at).total_seconds()
            await self._all_fired(due_at)
        return Outage(await self._announced(count, due_at, due_at), down_seconds, back_at)

    async def _open_burst(self, count: int) -> datetime:
        due_at = self._clock.now() + _LEAD_TIME + timedelta(seconds=count / _CLOCKS_OPENED_PER_SECOND)
        await self._open_copies(due_at, count)
        await self._ground.tidy()
        if self._clock.now() >= due_at:
            raise RuntimeError("the clocks were due before all ran: the machine is too busy to measure")
        return due_at

    async def _open_copies(self, due_at: datetime, count: int, *, apart: timedelta = timedelta(0)) -> None:
        """``count`` running clocks, each due ``apart`` from the one before."""
        original = running_clock(due_at)
        async with self._uow.transaction() as tx:
            await insert_rows(tx, sla_clock, [original.to_row()])
        for start in range(1, count, _AT_ONCE):
            last = min(start + _AT_ONCE, count) - 1
            values = {"original": original.id, "apart": apart, "first": start, "last": last}
            async with self._uow.transaction() as tx:
                await tx.execute(_COPY, values)

    @asynccontextmanager
    async def _sweeping(self) -> AsyncIterator[None]:
        stop, metrics = asyncio.Event(), TimerMetrics(CollectorRegistry())
        with _lines_to_nowhere():
            async with asyncio.TaskGroup() as group:
                group.create_task(follow_database(self._clock, stop))
                for _ in range(self._sweepers):
                    sweeper = Sweeper(self._uow, PactBook(), self._clock, self._ground.wake, metrics)
                    group.create_task(sweeper.run(stop))
                yield
                stop.set()

    async def _all_fired(self, due_at: datetime, *, but: int = 0) -> None:
        """Wait until all that are due by ``due_at`` have fired, ``but`` so many."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.sleep(self._clock.seconds_until(due_at))
            while (left := await self._unfired(due_at)) is None or left > but:
                await asyncio.sleep(LOOK_SECONDS / 5 if but else LOOK_SECONDS)

    async def _unfired(self, due_at: datetime) -> int | None:
        """None while PostgreSQL is away."""
        try:
            async with self._uow.transaction() as tx:
                left: int = (await tx.execute(_UNFIRED, {"due_at": due_at})).scalar_one()
        except Transient:
            return None
        return left

    async def _announced(self, count: int, first: datetime, last: datetime) -> Lateness:
        """How late those were that were due between. Raises ``AssertionError`` unless each was announced once."""
        async with self._uow.transaction() as tx:
            rows = (await tx.execute(_ANNOUNCED, {"first": first, "last": last})).all()
        clocks = len({row.clock_id for row in rows})
        if not len(rows) == clocks == count:
            raise AssertionError(f"of {count} clocks, {clocks} were announced, in {len(rows)} events")
        return Lateness([float(row.late) for row in rows])


@contextmanager
def _lines_to_nowhere() -> Iterator[None]:
    """Let the service write the lines that it writes, and read none of them."""
    with open(os.devnull, "w") as nowhere:
        configure_logging("info", service="sla-timer", stream=nowhere)
        try:
            yield
        finally:
            configure_logging("error", service="bench", stream=sys.stderr)


def running_clock(due_at: datetime) -> SlaClock:
    assignment_id = new_id()
    return SlaClock(
        id=ClockId(new_id()),
        lead_id=new_id(),
        subject_id=assignment_id,
        request_id=new_id(),
        assignment_id=assignment_id,
        whose="owner",
        kind="first_touch",
        policy="demo-first-touch",
        pact_version=1,
        rep_id="ana",
        rep_name="Ana",
        rep_timezone="UTC",
        rep_calendar=None,
        pool_calendar=None,
        lead_timezone=None,
        hop=1,
        target="2 business hours",
        target_seconds=7200,
        calendar="utc",
        timezone="UTC",
        shared_calendar=None,
        shared_timezone=None,
        warnings=(),
        reassign_at_most=3,
        escalate_to="boss",
        take_offline=False,
        give_back=False,
        released_at_pace=False,
        started_at=due_at - timedelta(hours=2),
        due_at=due_at,
        state=ClockState.RUNNING,
        next_at=due_at,
    )


# ---- the report ------------------------------------------------------------------------------------------------------


def _tell_plans(plans: Mapping[str, str], clocks: Clocks, report: Report) -> None:
    for mode, plan in plans.items():
        report.say(f"\nhow a batch is claimed among {clocks.running:,} running clocks, {mode} plan\n{plan}")
    report.keep("claim_plans", dict(plans))


def _tell_bursts(
    trickle: Lateness, rounds: Rounds, busy: Mapping[str, Sequence[float]], clocks: Clocks, report: Report
) -> None:
    report.table(
        f"ms that timers fire late, {clocks.sweepers} sweepers; of bursts the median of {clocks.rounds} rounds",
        ("", "waiting", "due", "fired/s", *PERCENTILES, "cores busy for others"),
        [
            _line(f"{LEADPACT}, {TRICKLE_PER_SECOND} a second", clocks.running, [trickle], rate=False),
            *(
                [
                    *_line(name, clocks.running if name == LEADPACT else clocks.waiting, each),
                    f"{median(busy[name]):.1f}",
                ]
                for name, each in rounds.items()
            ),
        ],
    )
    ratios = {
        name: _ratios(rounds[LEADPACT], each, clocks) for name, each in rounds.items() if name != LEADPACT
    }
    report.table(
        "leadpact / rival, median of the rounds' ratios; for fired/s more is better, for lateness less",
        ("", "fired/s", *PERCENTILES),
        [
            [
                name,
                *(f"{found[figure]:.3g}" if figure in found else "" for figure in ("fired/s", *PERCENTILES)),
            ]
            for name, found in ratios.items()
        ],
    )
    report.keep(
        "timers",
        {
            "running": clocks.running,
            "rivals_waiting": clocks.waiting,
            "trickle_ms": _rounded(trickle),
            "cores_used_by_others": {
                name: [round(cores, 1) for cores in each] for name, each in busy.items()
            },
            "bursts": {name: [_figures(one) for one in each] for name, each in rounds.items()},
            "leadpact_to_rival": ratios,
        },
    )


def _tell_outages(outages: Sequence[Outage], clocks: Clocks, report: Report) -> None:
    report.table(
        f"{clocks.burst:,} at one instant, PostgreSQL killed and started again in the middle; each was announced exactly once",
        (
            "round",
            "fired before",
            "down for",
            "all fired after",
            "since it was back",
            *(f"{name} ms late" for name in PERCENTILES),
        ),
        [
            [
                str(number),
                f"{one.fired_before:,}",
                f"{one.down_seconds:.2f} s",
                f"{one.lateness.until_all:.2f} s",
                f"{one.to_catch_up:.2f} s",
                *(f"{late:,.0f}" for late in one.lateness.ms().values()),
            ]
            for number, one in enumerate(outages, start=1)
        ],
    )
    report.keep(
        "timers_with_outage",
        [
            {
                "fired_before": one.fired_before,
                "down_seconds": round(one.down_seconds, 2),
                "to_catch_up_seconds": round(one.to_catch_up, 2),
                **_figures(one.lateness),
            }
            for one in outages
        ],
    )


def _line(name: str, waiting: int, rounds: Sequence[Lateness], *, rate: bool = True) -> list[str]:
    return [
        name,
        f"{waiting:,}",
        f"{len(rounds[0].seconds):,}",
        f"{typical(rounds, _pace):,.0f}" if rate else "",
        *(f"{typical(rounds, _late(figure)):,.0f}" for figure in PERCENTILES),
    ]


def _ratios(ours: Sequence[Lateness], theirs: Sequence[Lateness], clocks: Clocks) -> dict[str, float]:
    if len(theirs[0].seconds) < clocks.burst:  # who was given less to do is compared by the pace alone
        return {"fired/s": typical(ours, _pace) / typical(theirs, _pace)}
    return {
        "fired/s": times(ours, theirs, _pace),
        **{name: times(ours, theirs, _late(name)) for name in PERCENTILES},
    }


def _pace(lateness: Lateness) -> float:
    return lateness.per_second


def _late(name: str) -> Callable[[Lateness], float]:
    return lambda lateness: lateness.ms()[name]


def _figures(lateness: Lateness) -> dict[str, float]:
    return {
        "count": len(lateness.seconds),
        "until_all_seconds": round(lateness.until_all, 2),
        "per_second": round(lateness.per_second),
        **{f"{name}_ms": late for name, late in _rounded(lateness).items()},
    }


def _rounded(lateness: Lateness) -> dict[str, int]:
    return {name: round(late) for name, late in lateness.ms().items()}

"""Every clock that is due fires once, however many sweepers run, die or find time moved under them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
import structlog
from prometheus_client import generate_latest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from leadpact.clock import READINGS_TO_TRUST_A_STEP, DatabaseClock, ScaledClock
from leadpact.errors import Transient
from leadpact.events import SlaBreached, SlaMet, SlaWarned, Topic
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact
from leadpact.storage.wake import Wake
from leadpact_sla_timer.fire import Fired, fire
from leadpact_sla_timer.metrics import Gauges
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.sweep import CLAIM, Sweeper, sweep
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import PACT, assigned, contacted
from tests.support.fake_clock import TUESDAY_MORNING

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DUE = TUESDAY_MORNING + 2 * HOUR
PATIENCE_SECONDS = 5


async def _overdue(timer: Timer, count: int) -> None:
    await timer.hear(*[assigned(TUESDAY_MORNING + number * SECOND) for number in range(count)])
    timer.clock.set(DUE + HOUR)


async def test_a_sweeper_passes_over_what_another_holds_and_neither_announces_the_others(
    timer: Timer,
) -> None:
    await _overdue(timer, 10)

    async with asyncio.timeout(PATIENCE_SECONDS), timer.uow.transaction() as first:
        held = await sweep(first, timer.book, timer.clock.now(), limit=4)
        async with timer.uow.transaction() as second:
            others = await sweep(second, timer.book, timer.clock.now(), limit=100)

    assert (len(held.fired), len(others.fired)) == (4, 6)
    announced = Counter(breach.clock_id for breach in await timer.said(SlaBreached))
    assert set(announced) == {clock.id for clock in await timer.clocks()}
    assert set(announced.values()) == {1}


async def test_four_sweepers_at_once_announce_every_breach_exactly_once(timer: Timer) -> None:
    await _overdue(timer, 200)
    barrier = asyncio.Barrier(4)

    async def drain(sweeper: Sweeper) -> int:
        await barrier.wait()
        fired = 0
        while any(clock.state is ClockState.RUNNING for clock in await timer.clocks()):
            fired += len((await sweeper.run_once()).fired)
        return fired

    async with asyncio.timeout(4 * PATIENCE_SECONDS):
        fired = await asyncio.gather(*(drain(timer.sweeper(batch_size=7)) for _ in range(4)))

    announced = Counter(breach.clock_id for breach in await timer.said(SlaBreached))
    assert (sum(fired), len(announced), set(announced.values())) == (200, 200, {1})


async def test_a_sweeper_that_is_killed_between_claim_and_commit_leaves_its_clocks_to_the_others(
    timer: Timer,
) -> None:
    await _overdue(timer, 20)

    async def sweep_and_die() -> None:
        async with timer.uow.transaction() as doomed:
            assert len((await sweep(doomed, timer.book, timer.clock.now(), limit=12)).fired) == 12
            pid = (await doomed.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with timer.database.engine.connect() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    with pytest.raises(Transient):
        await sweep_and_die()
    assert await timer.said(SlaBreached) == []

    await timer.sweep()
    announced = Counter(breach.clock_id for breach in await timer.said(SlaBreached))
    assert (len(announced), set(announced.values())) == (20, {1})


async def test_after_an_outage_clocks_fire_oldest_first(timer: Timer) -> None:
    starts = [TUESDAY_MORNING + minutes * MINUTE for minutes in (30, 0, 10, 20)]
    await timer.hear(*[assigned(at) for at in starts])

    async with timer.uow.transaction() as tx:
        # The index would give this order by luck; the promise holds for whatever plan is chosen.
        await tx.execute(text("SET LOCAL enable_indexscan = off"))
        swept = await sweep(tx, timer.book, DUE + HOUR, limit=3)

    assert swept.more
    oldest = [at + 2 * HOUR for at in sorted(starts)[:3]]
    assert [breach.due_at for breach in await timer.said(SlaBreached)] == oldest


async def test_contact_that_races_with_the_sweep_ends_as_what_happened_first(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    await timer.announce(contacted(lead, DUE - SECOND))
    timer.clock.set(DUE)

    async with asyncio.timeout(PATIENCE_SECONDS):
        async with timer.uow.transaction() as sweeping:
            await sweep(sweeping, timer.book, timer.clock.now(), limit=10)
            hearing = asyncio.create_task(timer.read())
            await timer.until_somebody_waits_for_a_lock()
        await hearing

    clock = await timer.only_clock()
    assert (clock.state, clock.was_breached) == (ClockState.MET, True)
    assert (len(await timer.said(SlaBreached)), len(await timer.said(SlaMet))) == (1, 1)


async def test_nothing_fires_while_the_clock_is_unsteady(timer: Timer) -> None:
    await _overdue(timer, 1)
    timer.clock.is_steady = False
    await timer.sweep()
    assert await timer.said(SlaBreached) == []

    timer.clock.is_steady = True
    await timer.sweep()
    assert len(await timer.said(SlaBreached)) == 1


async def test_time_that_is_set_back_and_runs_again_fires_nothing_twice(timer: Timer) -> None:
    await timer.hear(assigned())
    for at in (TUESDAY_MORNING + HOUR, DUE, TUESDAY_MORNING, TUESDAY_MORNING + HOUR, DUE):
        timer.clock.set(at)
        await timer.sweep()

    assert [warning.percent for warning in await timer.said(SlaWarned)] == [50]
    assert len(await timer.said(SlaBreached)) == 1


async def test_a_sweep_says_whether_more_is_due_and_when_the_next_clock_is(timer: Timer) -> None:
    await timer.hear(assigned(), assigned(), assigned(TUESDAY_MORNING + HOUR))
    sweeper = timer.sweeper(batch_size=1)

    timer.clock.set(TUESDAY_MORNING + HOUR)
    swept = [await sweeper.run_once() for _ in range(3)]

    assert [len(one.fired) for one in swept] == [1, 1, 0]
    assert [one.more for one in swept] == [True, True, False]
    assert swept[-1].next_at == TUESDAY_MORNING + 96 * MINUTE


async def test_the_claim_is_a_range_scan_of_the_index_of_running_clocks(timer: Timer) -> None:
    await timer.hear(assigned())
    await timer.multiply(50_000)
    claim = str(CLAIM.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
    claim = claim.replace("%(now)s", "$1").replace("%(limit)s", "$2")

    async with timer.database.engine.connect() as connection:
        # The plan for any value, as a prepared statement comes to use it, not one made for the values at hand.
        await connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        await connection.exec_driver_sql(f"PREPARE claim (timestamptz, int) AS {claim}")
        explained = await connection.exec_driver_sql(f"EXPLAIN EXECUTE claim ('{DUE}', 500)")
        plan = "\n".join(line for (line,) in explained)

    assert "Index Scan using ix_sla_clock_next" in plan
    assert "Index Cond: (next_at <=" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


async def test_a_sleeping_loop_wakes_for_a_clock_opened_while_it_slept(timer: Timer) -> None:
    """On a real clock: opened in this process, the clock fires when it is due although the poll is a minute away."""
    real = ScaledClock(TUESDAY_MORNING, rate=3600)  # two hours in two seconds
    sweeper = Sweeper(timer.uow, timer.book, real, timer.wake, timer.metrics, poll_at_most_seconds=60)
    stop = asyncio.Event()
    running = asyncio.create_task(sweeper.run(stop))
    fired = timer.wake.sleeper([Topic.SLA])
    try:
        lead = assigned(real.now())
        await timer.hear(lead)
        async with asyncio.timeout(10):
            while not await timer.said(SlaBreached):
                await fired.wait(stop, 10)
    finally:
        stop.set()
        await running

    clock = await timer.only_clock()
    assert clock.breached_at is not None
    assert timedelta(0) <= clock.breached_at - clock.due_at < HOUR  # a real second


async def test_a_sleeping_loop_finds_what_another_process_opened_at_its_next_poll(timer: Timer) -> None:
    nobody_pokes = Wake()
    sweeper = Sweeper(
        timer.uow, timer.book, timer.clock, nobody_pokes, timer.metrics, poll_at_most_seconds=0.05
    )
    announced, stop = timer.wake.sleeper([Topic.SLA]), asyncio.Event()
    running = asyncio.create_task(sweeper.run(stop))
    try:
        await timer.hear(assigned())
        timer.clock.set(DUE)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await timer.said(SlaBreached):
                await announced.wait(stop, PATIENCE_SECONDS)
    finally:
        stop.set()
        await running


async def test_the_stop_ends_a_sleep_at_once(timer: Timer) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(timer.sweeper(poll_at_most_seconds=60).run(stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await running


async def test_the_metrics_tell_lateness_counts_and_the_oldest_overdue(timer: Timer) -> None:
    await timer.hear(assigned(), assigned(TUESDAY_MORNING + 2 * HOUR))
    gauges = Gauges(timer.uow, timer.clock, timer.metrics)
    timer.clock.set(DUE + 7 * SECOND)
    await gauges.run_once()
    before = generate_latest(timer.registry).decode()
    await timer.sweep()
    await gauges.run_once()
    after = generate_latest(timer.registry).decode()

    assert 'leadpact_sla_timers{state="running"} 2.0' in before
    assert "leadpact_sla_timer_oldest_overdue_seconds 7.0" in before
    assert 'leadpact_sla_timers{state="running"} 1.0' in after
    assert 'leadpact_sla_timers{state="breached"}' not in after, "they are kept for ever, and counted once"
    assert 'leadpact_sla_timer_lateness_seconds_count{state="breached"} 1.0' in after
    assert "leadpact_sla_timer_oldest_overdue_seconds 0.0" in after
    assert 'leadpact_sla_timer_lateness_seconds_sum{state="breached"} 7.0' in after


async def test_a_clock_that_is_due_before_it_is_opened_breaches_at_the_next_sweep(timer: Timer) -> None:
    """The log was read late: the truth is told all the same, once."""
    version = await timer.apply_pact(PACT.replace("2 business hours", "10 minutes"))
    timer.clock.set(DUE)
    await timer.hear(assigned(pact_version=version))
    await timer.sweep()

    assert [breach.due_at for breach in await timer.said(SlaBreached)] == [TUESDAY_MORNING + 10 * MINUTE]
    assert await timer.said(SlaWarned) == []


async def test_after_an_outage_overdue_clocks_fire_at_a_bounded_rate(timer: Timer) -> None:
    await _overdue(timer, 40)
    announced, stop = timer.wake.sleeper([Topic.SLA]), asyncio.Event()
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(timer.sweeper(batch_size=10, overdue_per_second=20).run(stop))
    began = loop.time()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(await timer.said(SlaBreached)) < 40:
                await announced.wait(stop, PATIENCE_SECONDS)
    finally:
        took = loop.time() - began
        stop.set()
        await running

    # Twenty a second: ten at once, half a second, then five at a time and a quarter of a second after each.
    assert took >= 1.5
    due_times = [breach.due_at for breach in await timer.said(SlaBreached)]
    assert due_times == sorted(due_times)


class StoppedHost:
    """A database's clock and a host's, which a test sets apart: a suspended host's stands still, a wrong one's wall clock jumps."""

    def __init__(self) -> None:
        self.database = TUESDAY_MORNING
        self.seconds = 500.0
        self.clock = DatabaseClock(self._read, monotonic=lambda: self.seconds)

    async def _read(self) -> datetime:
        return self.database

    async def pass_time(self, by: timedelta) -> None:
        self.database += by
        self.seconds += by.total_seconds()
        await self.clock.synchronise()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_jump_of_the_hosts_clock_fires_nothing_early_and_nothing_twice(
    timer: Timer, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    host = StoppedHost()
    await host.clock.synchronise()
    sweeper = Sweeper(timer.uow, timer.book, host.clock, timer.wake, timer.metrics)
    await timer.hear(assigned())
    await host.pass_time(90 * MINUTE)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump.total_seconds())
    await sweeper.run_once()
    assert await timer.said(SlaBreached) == []
    await host.pass_time(30 * MINUTE)
    await sweeper.run_once()
    monkeypatch.setattr(time, "time", real)
    await sweeper.run_once()
    assert len(await timer.said(SlaBreached)) == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_jump_of_the_databases_clock_fires_only_once_it_is_believed_and_nothing_twice(
    timer: Timer, jump: timedelta
) -> None:
    host = StoppedHost()
    await host.clock.synchronise()
    sweeper = Sweeper(timer.uow, timer.book, host.clock, timer.wake, timer.metrics)
    await timer.hear(assigned())
    await host.pass_time(61 * MINUTE)
    await sweeper.run_once()
    for step in (jump, -jump, jump):
        host.database += step
        await host.clock.synchronise()
        await sweeper.run_once()
        assert await timer.said(SlaBreached) == []  # one reading is not believed
    for _ in range(READINGS_TO_TRUST_A_STEP):
        await host.clock.synchronise()
        await sweeper.run_once()
    is_due = jump > timedelta(0)
    assert len(await timer.said(SlaBreached)) == int(is_due)
    await host.pass_time(3 * HOUR)
    await sweeper.run_once()
    assert len(await timer.said(SlaBreached)) == 1
    assert [warning.percent for warning in await timer.said(SlaWarned)] == [50]


async def test_a_clock_with_several_moments_behind_it_comes_to_its_end_in_one_go(timer: Timer) -> None:
    await _overdue(timer, 3)
    async with timer.uow.transaction() as tx:
        await tx.execute(text("UPDATE sla_clock SET state = 'waiting', next_at = started_at"))
    await timer.sweep()
    assert [clock.state for clock in await timer.clocks()] == [ClockState.BREACHED] * 3


async def _break(timer: Timer, version: int) -> str:
    """Another version of Leadpact comes, by whose rules this version of the pact has a mistake; what it said."""
    timer.book = PactBook()
    async with timer.uow.transaction() as tx:
        said = (
            await tx.execute(text("SELECT text FROM pact_version WHERE version = :v"), {"v": version})
        ).scalar_one()
        await tx.execute(text("UPDATE pact_version SET text = 'pact: [' WHERE version = :v"), {"v": version})
    return str(said)


async def test_a_clock_whose_pact_cannot_be_read_stops_no_other_and_fires_once_it_can(timer: Timer) -> None:
    await timer.hear(*[assigned() for _ in range(3)])
    version = await timer.apply_pact(PACT.replace("two hours", "the same"))
    await timer.hear(assigned(TUESDAY_MORNING + SECOND, pact_version=version))
    timer.clock.set(DUE + SECOND)
    said = await _break(timer, 1)

    sweeper = timer.sweeper(batch_size=3)  # no more than cannot be read
    with structlog.testing.capture_logs() as logs:
        await sweeper.look_at_pacts()
        while (await sweeper.run_once()).more:
            pass
    assert [(line["event"], line["pact_version"]) for line in logs if line["log_level"] == "error"] == [
        ("sla_timer.pact_unreadable", 1),
        *[("sla_timer.clock_put_off", 1)] * 3,
    ]
    assert [breach.due_at for breach in await timer.said(SlaBreached)] == [DUE + SECOND]
    assert "leadpact_sla_timer_put_off_total 3.0" in generate_latest(timer.registry).decode()

    async with timer.uow.transaction() as tx:
        await tx.execute(text("UPDATE pact_version SET text = :said WHERE version = 1"), {"said": said})
    timer.clock.set(DUE + SECOND + 5 * MINUTE)
    await timer.sweep()
    assert [breach.due_at for breach in await timer.said(SlaBreached)] == [DUE + SECOND, *[DUE] * 3]


async def test_a_bug_that_one_clock_meets_stops_no_other(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _overdue(timer, 3)
    odd = (await timer.clocks())[0].id

    def fire_or_fail(clock: SlaClock, now: datetime, pact: Pact) -> Fired:
        if clock.id == odd:
            raise ValueError(f"{clock.lead_id} of somebody")
        return fire(clock, now, pact)

    monkeypatch.setattr("leadpact_sla_timer.sweep.fire", fire_or_fail)
    with structlog.testing.capture_logs() as logs:
        await timer.sweep()
    assert {breach.clock_id for breach in await timer.said(SlaBreached)} == {
        clock.id for clock in await timer.clocks() if clock.id != odd
    }
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert told["clock_id"] == str(odd)
    assert "fire_or_fail" in told["reason"]
    assert told["lead_id"] not in told["reason"]

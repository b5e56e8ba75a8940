"""Measure leads per second from ``lead.captured`` to the committed assignment, beside two named baselines, on both carriers.

* *leadpact*: the router's consumer group on the product's carrier, one instance.
* *one at a time*: `bench/baseline`: the same rules and rows, a session and a commit for each lead, one instance.
* *bare writes*: `bench/bare.py`: the rows that leadpact wrote, in the same batches, with nothing else around them.

Each begins with all events waiting and a fresh database. They take turns, round after round, so that whatever else the machine does meets all of
them. The first leads of each warm it up and are not counted. Who has not left one touch per lead and one open assignment per person has
failed, however fast it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import uuid4

from prometheus_client import CollectorRegistry
from sqlalchemy import insert, text

from bench import bare
from bench.baseline.consume import OneAtATime, create_queue, subscribed
from bench.baseline.models import QueuedLead
from bench.ground import Ground, Server
from bench.machine import Others
from bench.report import Report
from bench.workload import captured
from leadpact.bus.carrier import Delivery, Reader
from leadpact.bus.carriers.kafka import KafkaCarrier
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.events import LeadCaptured, Topic
from leadpact.ids import new_id
from leadpact.pact.book import AppliedPact, PactBook
from leadpact.storage import log
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.calendars import CalendarShelf
from leadpact_router.handlers import CONSUMER, TOPICS, router_consumer

LEADPACT, ONE_AT_A_TIME, BARE, RELAY = "leadpact", "one at a time", "bare writes", "relay alone"
TIMES_THE_BASELINE, SHARE_OF_BARE = 20, 0.5
_WARM_UP = {LEADPACT: 500, BARE: 500, ONE_AT_A_TIME: 25}
_PATIENCE_SECONDS = 120.0

# Each yields the number of leads in every transaction that it has committed.
Steps = AsyncIterator[int]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure."""

    rounds: int
    leads: int
    baseline_leads: int


@dataclass(frozen=True, slots=True)
class Drained:
    """What a contender got through after it was warm, and what that took."""

    leads: int
    seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    others_cores: float

    @property
    def per_second(self) -> float:
        return self.leads / self.seconds

    @property
    def client_us(self) -> float:
        """Microseconds of our process's CPU for each lead."""
        return self.client_cpu_seconds / self.leads * 1e6

    @property
    def server_us(self) -> float:
        """Microseconds of PostgreSQL's CPU for each lead."""
        return self.server_cpu_seconds / self.leads * 1e6


Rounds = dict[tuple[str, str], list[Drained]]
"""What was measured, by carrier and contender."""


async def throughput(server: Server, size: Size, kafka: str | None, report: Report) -> None:
    """Run the rounds and report them. ``kafka`` is the address of a broker; None leaves that carrier out."""
    events = [captured(number) for number in range(size.leads)]
    rounds: Rounds = defaultdict(list)
    for number in range(size.rounds):
        report.progress(f"throughput, round {number + 1} of {size.rounds}")
        await _postgres_round(server, events, size, rounds)
        if kafka is not None:
            await _kafka_round(server, events, size, kafka, rounds)
    _tell(rounds, report)


async def _postgres_round(server: Server, events: Sequence[LeadCaptured], size: Size, rounds: Rounds) -> None:
    async with server.ground() as ground:
        await _announce(ground, events)
        reader = PostgresCarrier(ground.uow(CONSUMER), ground.wake).reader(CONSUMER, TOPICS)
        steps = _leadpact(reader, ground, len(events))
        rounds["PostgreSQL", LEADPACT].append(await _measured(server, steps, _WARM_UP[LEADPACT]))
        await _check(ground, len(events))
        batches = await bare.batches_of(ground)
    async with server.ground() as ground:
        steps = bare.write(ground, batches)
        rounds["PostgreSQL", BARE].append(await _measured(server, steps, _WARM_UP[BARE]))
        await _check(ground, len(events))
    async with server.ground() as ground:
        few = events[: size.baseline_leads]
        await _queue(ground, few)
        steps = _one_at_a_time(await _routing(ground), len(few))
        rounds["PostgreSQL", ONE_AT_A_TIME].append(await _measured(server, steps, _WARM_UP[ONE_AT_A_TIME]))
        await _check(ground, len(few))


async def _kafka_round(
    server: Server, events: Sequence[LeadCaptured], size: Size, bootstrap: str, rounds: Rounds
) -> None:
    cluster = KafkaCluster(bootstrap, topic_prefix=f"bench-{uuid4().hex[:8]}.")
    metrics = KafkaMetrics(CollectorRegistry())
    async with server.ground() as ground:
        await _announce(ground, events)
        rounds["Kafka", RELAY].append(
            await _measured(server, _relay(ground, cluster, metrics, len(events)), 0)
        )
    async with server.ground() as ground:
        reader = KafkaCarrier(ground.uow(CONSUMER), cluster, metrics).reader(CONSUMER, TOPICS)
        steps = _leadpact(reader, ground, len(events))
        rounds["Kafka", LEADPACT].append(await _measured(server, steps, _WARM_UP[LEADPACT]))
        await _check(ground, len(events))
    async with server.ground() as ground:
        steps = _one_at_a_time_from_kafka(await _routing(ground), cluster, size.baseline_leads)
        rounds["Kafka", ONE_AT_A_TIME].append(await _measured(server, steps, _WARM_UP[ONE_AT_A_TIME]))
        await _check(ground, size.baseline_leads)


async def _measured(server: Server, steps: Steps, warm_up: int) -> Drained:
    """Take ``steps`` to their end; the clocks start when at least ``warm_up`` leads are done."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        done = 0
        while done < warm_up:
            done += await anext(steps)
        others, postgres = Others(), server.cpu_seconds()
        seconds, client = time.perf_counter(), time.process_time()
        leads = sum([count async for count in steps])
        seconds, client = time.perf_counter() - seconds, time.process_time() - client
        return Drained(leads, seconds, client, server.cpu_seconds() - postgres, others.cores())


# ---- the contenders --------------------------------------------------------------------------------------------------


async def _leadpact(reader: Reader, ground: Ground, count: int) -> Steps:
    consumer = router_consumer(PactBook(), CalendarShelf(), ground.clock)
    applied = 0

    async def apply(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
        nonlocal applied
        await consumer.apply(tx, deliveries)
        applied += len(deliveries)

    stop = asyncio.Event()
    await reader.start()
    try:
        while applied < count:
            before = applied
            more = await reader.run_once(apply)
            if applied > before:
                yield applied - before
            elif not more:
                await reader.wait(stop)
    finally:
        await reader.stop()


async def _one_at_a_time(routing: OneAtATime, count: int) -> Steps:
    for _ in range(count):
        await routing.from_queue()
        yield 1


async def _one_at_a_time_from_kafka(routing: OneAtATime, cluster: KafkaCluster, count: int) -> Steps:
    async with subscribed(
        cluster.bootstrap, cluster.topic_name(Topic.INBOUND), group=f"{cluster.topic_prefix}one"
    ) as consumer:
        for _ in range(count):
            await routing.from_kafka(consumer)
            yield 1


async def _relay(ground: Ground, cluster: KafkaCluster, metrics: KafkaMetrics, count: int) -> Steps:
    """Publish all that was announced; one step, as the relay has no other end than that nothing waits any more."""
    stop, uow = asyncio.Event(), ground.uow("relay")
    async with uow.transaction() as tx:
        await log.register(tx, log.RELAY, list(Topic))
    async with asyncio.TaskGroup() as group:
        group.create_task(Relay(uow, cluster, ground.wake, metrics).run(stop))
        while await _waiting(ground):
            await asyncio.sleep(0.01)
        stop.set()
    yield count


async def _waiting(ground: Ground) -> bool:
    async with ground.uow("relay").transaction() as tx:
        return bool(await log.read(tx, log.RELAY, list(Topic), 1))


# ---- before and after ------------------------------------------------------------------------------------------------


async def _announce(ground: Ground, events: Sequence[LeadCaptured]) -> None:
    uow = ground.uow("ingest")
    for batch in _batched(events, 1_000):
        async with uow.transaction() as tx:
            for event in batch:
                tx.emit(event)


async def _queue(ground: Ground, events: Sequence[LeadCaptured]) -> None:
    await create_queue(ground.engine)
    async with ground.engine.begin() as connection:
        rows = [{"event_id": new_id(), "data": event.to_json()} for event in events]
        await connection.execute(insert(QueuedLead), rows)


async def _routing(ground: Ground) -> OneAtATime:
    return OneAtATime(ground.engine, await _pact(ground), ground.clock)


async def _pact(ground: Ground) -> AppliedPact:
    async with ground.uow("bench").transaction() as tx:
        return await PactBook().current(tx)


async def _check(ground: Ground, leads: int) -> None:
    """Raise unless every lead has left a touch and every person has one owner."""
    found = text(
        """
        SELECT (SELECT count(*) FROM touch) AS touches, (SELECT count(*) FROM person) AS people,
               (SELECT count(*) FROM lead WHERE owner IS NOT NULL) AS owned, (SELECT count(*) FROM assignment WHERE ended_at IS NULL) AS assignments
        """
    )
    async with ground.engine.connect() as connection:
        row = (await connection.execute(found)).one()
    if not (row.touches == leads and row.people == row.owned == row.assignments):
        raise AssertionError(f"of {leads} leads, a contender has left {dict(row._mapping)}")


def _batched(events: Sequence[LeadCaptured], size: int) -> Iterator[Sequence[LeadCaptured]]:
    for start in range(0, len(events), size):
        yield events[start : start + size]


# ---- the report ------------------------------------------------------------------------------------------------------


def _tell(rounds: Rounds, report: Report) -> None:
    rates = {key: median(one.per_second for one in drained) for key, drained in rounds.items()}
    report.keep(
        "throughput",
        [
            {
                "carrier": carrier,
                "contender": contender,
                "leads_per_second": [round(one.per_second) for one in drained],
                "client_cpu_us": round(median(one.client_us for one in drained)),
                "postgres_cpu_us": round(median(one.server_us for one in drained)),
                "cores_used_by_others": round(median(one.others_cores for one in drained), 1),
            }
            for (carrier, contender), drained in rounds.items()
        ],
    )
    report.table(
        f"lead.captured to committed assignment, one instance, median of {len(next(iter(rounds.values())))} rounds",
        (
            "",
            "leads/s",
            "lowest to highest",
            "one at a time = 1",
            "CPU/lead",
            "PostgreSQL's",
            "cores busy for others",
        ),
        [_line(key, drained, rates) for key, drained in rounds.items()],
    )
    if ("Kafka", LEADPACT) in rounds:
        times = _ratio(rounds, ("Kafka", LEADPACT), ("Kafka", ONE_AT_A_TIME))
        report.aim("Kafka: times the throughput of one at a time", times, TIMES_THE_BASELINE)
    share = _ratio(rounds, ("PostgreSQL", LEADPACT), ("PostgreSQL", BARE))
    report.aim("PostgreSQL: share of what bare writes reach", share, SHARE_OF_BARE)


def _line(
    key: tuple[str, str], drained: Sequence[Drained], rates: Mapping[tuple[str, str], float]
) -> list[str]:
    carrier, contender = key
    each = [one.per_second for one in drained]
    return [
        f"{carrier}: {contender}",
        f"{rates[key]:,.0f}",
        f"{min(each):,.0f} to {max(each):,.0f}",
        f"{rates[key] / rates[carrier, ONE_AT_A_TIME]:.1f}",
        f"{median(one.client_us for one in drained):,.0f} µs",
        f"{median(one.server_us for one in drained):,.0f} µs",
        f"{median(one.others_cores for one in drained):.1f}",
    ]


def _ratio(rounds: Rounds, one: tuple[str, str], other: tuple[str, str]) -> float:
    """The median of the rounds' ratios: the two of one round were measured within seconds of each other."""
    pairs = zip(rounds[one], rounds[other], strict=True)
    return median(mine.per_second / theirs.per_second for mine, theirs in pairs)

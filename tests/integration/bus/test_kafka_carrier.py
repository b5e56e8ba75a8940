"""What can happen to a Kafka consumer group, and that nothing is lost, doubled or skipped when it does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from aiokafka.admin import RecordsToDelete  # type: ignore[import-untyped]  # ships no types
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus import kafka_cluster, kafka_group, topics
from leadpact.bus import relay as relay_module
from leadpact.bus.carrier import Carrier, Delivery
from leadpact.bus.carriers.kafka import KafkaCarrier, KafkaReader, NoProgress
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.consume import Consumer, Received, run_consumer
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.kafka_group import OffsetOutsideLog
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.bus.topics import ensure_topics
from leadpact.errors import Transient
from leadpact.events import MessageDeadLettered, SlaCancelled, Topic
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.carrying import Carrying, announce, fact, running, until
from tests.support.fake_clock import FakeClock
from tests.support.kafka import administration, producing, put
from tests.support.kafka_broker import KafkaBroker


class Effects:
    """A table that records what was applied, in the transaction that applies it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text("CREATE TABLE effect (id bigserial, key text, reason text)"))

    async def handle(self, tx: Transaction, received: Sequence[Received]) -> None:
        for item in received:
            assert isinstance(item.event, SlaCancelled)
            applied = {"key": item.message.key, "reason": item.event.reason}
            await tx.execute(text("INSERT INTO effect (key, reason) VALUES (:key, :reason)"), applied)

    async def all(self) -> list[tuple[str, str]]:
        """Key and reason of everything that was applied, in the order of its application."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(text("SELECT key, reason FROM effect ORDER BY id"))
            return [(row.key, row.reason) for row in rows]

    async def reasons(self) -> Counter[str]:
        return Counter(reason for _, reason in await self.all())

    def reached(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def there() -> bool:
            return len(await self.all()) >= count

        return there


@pytest.fixture
async def effects(database: Database) -> Effects:
    effects = Effects(database.engine)
    await effects.create()
    return effects


@asynccontextmanager
async def consuming(
    carrier: Carrier, effects: Effects, name: str = "steady"
) -> AsyncIterator[asyncio.Task[None]]:
    """A consumer that records its effects, until the end of the block."""
    stop = asyncio.Event()
    consumer = Consumer(name, {SlaCancelled: effects.handle}, FakeClock())
    task = asyncio.create_task(run_consumer(carrier.reader(name, [Topic.SLA]), consumer, stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])


@pytest.fixture
def carrier(on_kafka: Carrying, uow: UnitOfWork, kafka: KafkaCluster, metrics: KafkaMetrics) -> KafkaCarrier:
    """Kafka, with a relay that feeds it."""
    return KafkaCarrier(uow, kafka, metrics)


@pytest.fixture
async def topic(kafka: KafkaCluster) -> str:
    """The SLA topic's name on a cluster that nobody feeds but the test."""
    await ensure_topics(kafka, [Topic.SLA])
    return kafka.topic_name(Topic.SLA)


async def offsets(engine: AsyncEngine, consumer: str = "steady") -> dict[int, int]:
    """PostgreSQL's offset of each partition."""
    query = text("SELECT partition, next_offset FROM kafka_offset WHERE consumer = :consumer")
    async with engine.connect() as connection:
        rows = await connection.execute(query, {"consumer": consumer})
        return {row.partition: row.next_offset for row in rows}


# Two at a time


@dataclass(frozen=True)
class OwnGroup(KafkaCluster):
    """The same cluster, seen by an instance that Kafka takes for another group: it gets every partition too, for ever."""

    zombie: str = ""

    def group_name(self, consumer: str) -> str:
        return f"{super().group_name(consumer)}.{self.zombie}"


class Unguarded(Consumer):
    """Applies whatever is delivered, without an inbox: only the offsets keep an effect from happening twice."""

    def __init__(self, effects: Effects) -> None:
        super().__init__("steady", {SlaCancelled: effects.handle}, FakeClock())
        self._effects = effects

    async def apply(self, tx: Transaction, deliveries: Sequence[Delivery]) -> None:
        messages = [delivery.message for delivery in deliveries if delivery.message]
        await self._effects.handle(
            tx, [Received(message, SlaCancelled.model_validate_json(message.data)) for message in messages]
        )


async def test_of_two_instances_that_both_hold_every_partition_one_applies_each_event(
    on_kafka: Carrying, uow: UnitOfWork, kafka: KafkaCluster, metrics: KafkaMetrics, effects: Effects
) -> None:
    clusters = [OwnGroup(kafka.bootstrap, kafka.topic_prefix, zombie=name) for name in ("one", "other")]
    carriers = [KafkaCarrier(uow, cluster, metrics, batch_size=7) for cluster in clusters]
    keys = [new_id() for _ in range(10)]
    stop = asyncio.Event()
    both = [
        asyncio.create_task(run_consumer(carrier.reader("steady", [Topic.SLA]), Unguarded(effects), stop))
        for carrier in carriers
    ]
    for number in range(30):
        await announce(uow, [fact(key, str(number)) for key in keys])
        await asyncio.sleep(0.02)  # so that the two meet again and again
    await until(effects.reached(300))
    await asyncio.sleep(0.5)  # for what must not come
    stop.set()
    await asyncio.gather(*both)

    assert_each_once_in_order(await effects.all(), keys, 30)


async def test_a_batch_that_runs_when_the_group_changes_is_finished_before_another_gets_its_keys(
    carrier: KafkaCarrier, uow: UnitOfWork, whole_kafka: KafkaCluster
) -> None:
    keys = [new_id() for _ in range(20)]
    first_runs, go_on = asyncio.Event(), asyncio.Event()
    trail: list[str] = []

    async def slow(_: Transaction, deliveries: Sequence[Delivery]) -> None:
        first_runs.set()
        trail.append("first begins")
        await go_on.wait()
        trail.append("first ends")

    async def quick(_: Transaction, deliveries: Sequence[Delivery]) -> None:
        trail.append("second")

    await announce(uow, [fact(key, "0") for key in keys])
    async with running(carrier.reader("pair", [Topic.SLA]), slow):
        await first_runs.wait()
        async with running(carrier.reader("pair", [Topic.SLA]), quick):
            await announce(uow, [fact(key, "1") for key in keys])
            await asyncio.sleep(4)  # one heartbeat, so that the first has heard that the group changes
            assert trail == ["first begins"]
            go_on.set()
            await until(lambda: "second" in trail)

    assert trail.index("first ends") < trail.index("second")


async def test_a_batch_that_outlasts_the_drain_is_fenced_and_its_effect_happens_once(
    carrier: KafkaCarrier,
    uow: UnitOfWork,
    whole_kafka: KafkaCluster,
    effects: Effects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_group, "_DRAIN_SECONDS", 0.1)
    await announce(uow, [fact(new_id(), str(number)) for number in range(50)])
    first_runs, go_on = asyncio.Event(), asyncio.Event()
    consumer = Consumer("steady", {SlaCancelled: effects.handle}, FakeClock())

    async def slow(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
        first_runs.set()
        await go_on.wait()
        await consumer.apply(tx, deliveries)

    reader = carrier.reader("steady", [Topic.SLA])
    async with running(reader, slow):
        await first_runs.wait()
        async with consuming(carrier, effects):
            member = reader._member
            assert member is not None
            await until(lambda: not member.places)  # revoked while it works
            await asyncio.sleep(1)  # time for the other to do what it must not
            assert await effects.all() == []
            go_on.set()
            await until(effects.reached(50))
            await announce(uow, [fact(new_id(), "after")])
            await until(effects.reached(51))

    assert await effects.reasons() == {str(number): 1 for number in range(50)} | {"after": 1}


# What a topic may contain


async def test_bytes_that_are_no_event_go_to_the_dead_letters_with_their_origin(
    carrier: KafkaCarrier, uow: UnitOfWork, kafka: KafkaCluster, effects: Effects, database: Database
) -> None:
    await announce(uow, [fact(new_id(), "good")])
    async with consuming(carrier, effects):
        await until(effects.reached(1))
        headers = [("ce_type", b"leadpact.sla.cancelled.v1\0"), ("who", b"\xff")]
        garbage_at = await put(kafka, Topic.SLA, b"\x00\xff garbage", key=b"\xfe", headers=headers)
        tombstone_at = await put(kafka, Topic.SLA, None, key=b"tombstone")
        await announce(uow, [fact(new_id(), "still good")])
        await until(effects.reached(2))

        async def told() -> bool:
            return len(await announced(database.engine, MessageDeadLettered)) == 2

        await until(told)

    letters = await announced(database.engine, MessageDeadLettered)
    assert {letter.origin_position for letter in letters} == {garbage_at, tombstone_at}
    assert {(letter.consumer, letter.origin_topic) for letter in letters} == {("steady", "leadpact.sla")}
    async with database.engine.connect() as connection:
        rows = await connection.execute(text("SELECT position, body, error FROM dead_letter"))
        kept = {row.position: (row.body, row.error) for row in rows}
    assert kept == {
        garbage_at: ("AP8gZ2FyYmFnZQ==", "the value is not UTF-8"),
        tombstone_at: ("", "the record has no value"),
    }


async def test_records_that_are_never_handed_out_are_not_mistaken_for_a_standstill(
    uow: UnitOfWork, whole_kafka: KafkaCluster, metrics: KafkaMetrics, effects: Effects, topic: str
) -> None:
    carrier = KafkaCarrier(uow, whole_kafka, metrics, quiet_seconds=0.3)
    async with consuming(carrier, effects) as task:
        async with (
            producing(whole_kafka, transactional_id="another-system") as producer,
            producer.transaction(),
        ):
            await producer.send_and_wait(topic, b"{}", partition=1)
        await asyncio.sleep(3)  # several looks at what stands behind the mark that ended the transaction
        assert not task.done()


# Where a group stands


async def set_offset(engine: AsyncEngine, topic: str, partition: int, offset: int) -> None:
    statement = text("INSERT INTO kafka_offset VALUES ('steady', :topic, :partition, :offset)")
    async with engine.begin() as connection:
        await connection.execute(statement, {"topic": topic, "partition": partition, "offset": offset})


async def end_of(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(30):
        await task


async def test_an_offset_beyond_the_log_stops_the_consumer_with_what_to_do(
    uow: UnitOfWork,
    kafka: KafkaCluster,
    metrics: KafkaMetrics,
    effects: Effects,
    database: Database,
    topic: str,
) -> None:
    await set_offset(database.engine, topic, 3, 17)
    async with consuming(KafkaCarrier(uow, kafka, metrics), effects) as task:
        with pytest.raises(OffsetOutsideLog, match=r"sla-3: .* offset 17, .* from 0 to 0.* kafka_offset"):
            await end_of(task)


async def test_events_that_retention_deleted_before_they_were_applied_stop_the_consumer(
    carrier: KafkaCarrier, uow: UnitOfWork, whole_kafka: KafkaCluster, effects: Effects, database: Database
) -> None:
    key = new_id()
    await announce(uow, [fact(key, "applied")])
    async with consuming(carrier, effects):
        await until(effects.reached(1))
    await announce(uow, [fact(key, str(number)) for number in range(10)])
    (partition,) = [place for place, offset in (await offsets(database.engine)).items() if offset == 1]
    where = TopicPartition(whole_kafka.topic_name(Topic.SLA), partition)
    async with administration(whole_kafka) as admin:

        async def deleted() -> bool:
            try:
                await admin.delete_records({where: RecordsToDelete(before_offset=5)})
            except Exception:
                return False  # the relay has not come so far
            return True

        await until(deleted)

    async with consuming(carrier, effects) as task:
        with pytest.raises(OffsetOutsideLog, match="offset 1, Kafka has those from 5"):
            await end_of(task)
    assert await effects.reasons() == {"applied": 1}

    # What the message says to do.
    async with database.engine.begin() as connection:
        await connection.execute(
            text("DELETE FROM kafka_offset WHERE partition = :partition"), {"partition": partition}
        )
    async with consuming(carrier, effects):
        await until(effects.reached(7))
    assert await effects.reasons() == Counter(["applied", *(str(number) for number in range(4, 10))])


async def test_what_postgresql_forgot_comes_again_though_no_further_event_does(
    on_kafka: Carrying,
    uow: UnitOfWork,
    kafka: KafkaCluster,
    metrics: KafkaMetrics,
    effects: Effects,
    database: Database,
) -> None:
    await announce(uow, [fact(new_id(), str(number)) for number in range(20)])
    async with consuming(KafkaCarrier(uow, kafka, metrics, quiet_seconds=0.3), effects) as task:
        await until(effects.reached(20))
        # As after a standby took over that had not heard of the last commits.
        async with database.engine.begin() as connection:
            await connection.execute(text("DELETE FROM effect"))
            await connection.execute(text("DELETE FROM inbox"))
            await connection.execute(text("UPDATE kafka_offset SET next_offset = 0"))
        await until(effects.reached(20))
        await asyncio.sleep(1)  # several more looks
        assert not task.done()
    assert await effects.reasons() == {str(number): 1 for number in range(20)}


async def test_a_topic_that_is_made_anew_under_a_running_consumer_stops_it(
    carrier: KafkaCarrier, uow: UnitOfWork, whole_kafka: KafkaCluster, effects: Effects
) -> None:
    await announce(uow, [fact(new_id(), str(number)) for number in range(20)])
    async with consuming(carrier, effects) as task:
        await until(effects.reached(20))
        async with administration(whole_kafka) as admin:
            await admin.delete_topics([whole_kafka.topic_name(Topic.SLA)])

        async def made_anew() -> bool:
            try:
                await ensure_topics(whole_kafka, [Topic.SLA])
            except Transient:
                return False  # still being deleted
            return True

        await until(made_anew)
        with pytest.raises(OffsetOutsideLog):
            await end_of(task)


async def test_an_offset_that_turns_out_to_be_missing_while_reading_stops_the_consumer(
    on_kafka: Carrying, uow: UnitOfWork, kafka: KafkaCluster, metrics: KafkaMetrics
) -> None:
    reader = KafkaCarrier(uow, kafka, metrics).reader("steady", [Topic.SLA])

    async def apply(_: Transaction, deliveries: Sequence[Delivery]) -> None: ...

    async with running(reader, apply) as task:
        await until(lambda: reader._member is not None and len(reader._member.places) == 4)
        assert reader._member is not None
        partition = next(iter(reader._member.places))
        reader._member._client.seek(partition, 1_000)  # as if retention had overtaken a slow reader
        with pytest.raises(OffsetOutsideLog, match="offset 1000, which Kafka does not have"):
            await end_of(task)


async def test_kafkas_own_offsets_follow_for_the_tools_that_show_lag(
    carrier: KafkaCarrier, uow: UnitOfWork, whole_kafka: KafkaCluster, effects: Effects, database: Database
) -> None:
    await announce(uow, [fact(new_id(), str(number)) for number in range(50)])
    async with consuming(carrier, effects), administration(whole_kafka) as admin:
        await until(effects.reached(50))

        async def told() -> bool:
            committed = await admin.list_consumer_group_offsets(whole_kafka.group_name("steady"))
            places = {partition.partition: place.offset for partition, place in committed.items()}
            return places == await offsets(database.engine)

        await until(told)
    assert sum((await offsets(database.engine)).values()) == 50


# When something is away, or stuck


async def test_a_consumer_without_a_broker_says_so_and_stops_when_it_is_asked_to(
    uow: UnitOfWork, metrics: KafkaMetrics, effects: Effects
) -> None:
    carrier = KafkaCarrier(uow, KafkaCluster("127.0.0.1:1"), metrics)
    with pytest.raises(Transient, match="Kafka could not list its topics"):
        await carrier.reader("steady", [Topic.SLA]).start()
    async with asyncio.timeout(10):
        async with consuming(carrier, effects):
            await asyncio.sleep(0.2)


async def test_a_consumer_to_which_nothing_is_delivered_although_events_wait_stops(
    on_kafka: Carrying, uow: UnitOfWork, kafka: KafkaCluster, metrics: KafkaMetrics
) -> None:
    carrier = KafkaCarrier(uow, kafka, metrics, quiet_seconds=0.5)
    reader = carrier.reader("stuck", [Topic.SLA])
    applied = asyncio.Event()

    async def apply(_: Transaction, deliveries: Sequence[Delivery]) -> None:
        applied.set()

    async with running(reader, apply) as task:
        await announce(uow, [fact(new_id(), "one")])
        await applied.wait()
        member = reader._member
        assert member is not None
        member._client.pause(*member.places)  # as good as a client that has lost its way
        await announce(uow, [fact(new_id(), "another")])
        with pytest.raises(NoProgress, match="1 events wait for stuck on Kafka"):
            await end_of(task)


@pytest.mark.durable_broker
@pytest.mark.timeout(120)
async def test_nothing_is_lost_when_the_broker_is_killed_under_load(
    durable_kafka_broker: KafkaBroker,
    carrier: KafkaCarrier,
    uow: UnitOfWork,
    effects: Effects,
) -> None:
    keys = [new_id() for _ in range(25)]

    async def load() -> None:
        for number in range(60):
            await announce(uow, [fact(key, str(number)) for key in keys])
            await asyncio.sleep(0.05)

    async with consuming(carrier, effects), consuming(carrier, effects):
        loading = asyncio.create_task(load())
        await until(effects.reached(100))
        durable_kafka_broker.kill()
        await asyncio.to_thread(durable_kafka_broker.restart)
        await loading
        await until(effects.reached(1_500))

    assert_each_once_in_order(await effects.all(), keys, 60)


@pytest.mark.durable_broker
@pytest.mark.timeout(120)
async def test_a_broker_that_holds_its_connections_and_answers_nothing_is_given_up_and_found_again(
    durable_kafka_broker: KafkaBroker,
    uow: UnitOfWork,
    wake: Wake,
    kafka: KafkaCluster,
    metrics: KafkaMetrics,
    effects: Effects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, deadline, seconds in [
        (kafka_cluster, "_CLOSE_SECONDS", 0.2),  # shorter than a request, so that clients are left behind
        (kafka_group, "_CALL_SECONDS", 1.0),
        (kafka_group, "_REQUEST_SECONDS", 2.0),
        (relay_module, "_PUBLISH_SECONDS", 3.0),
        (relay_module, "_REQUEST_SECONDS", 1.0),
        (topics, "_LIST_SECONDS", 1.0),
    ]:
        monkeypatch.setattr(module, deadline, seconds)
    relay, stop = Relay(uow, kafka, wake, metrics), asyncio.Event()
    relaying = asyncio.create_task(relay.run(stop))
    async with consuming(KafkaCarrier(uow, kafka, metrics, quiet_seconds=1.0), effects):
        await announce(uow, [fact(new_id(), "before")])
        await until(effects.reached(1))
        durable_kafka_broker.suspend()
        try:
            await announce(uow, [fact(new_id(), str(number)) for number in range(50)])
            with pytest.raises(Transient, match="Kafka did not"):
                async with asyncio.timeout(20):
                    while True:
                        await relay.check()
                        await asyncio.sleep(0.1)
            await asyncio.sleep(5)  # the consumer gives up its client, too
        finally:
            durable_kafka_broker.resume()
        await until(effects.reached(51))
    stop.set()
    await relaying

    assert await effects.reasons() == {"before": 1} | {str(number): 1 for number in range(50)}
    assert [task for task in asyncio.all_tasks() if "aiokafka" in str(task)] == []


def assert_each_once_in_order(applied: list[tuple[str, str]], keys: Sequence[UUID], count: int) -> None:
    for key in keys:
        assert [reason for of, reason in applied if of == str(key)] == [
            str(number) for number in range(count)
        ]
    assert len(applied) == len(keys) * count


# Changing carriers


async def cursors(engine: AsyncEngine) -> set[str]:
    """Whose cursors there are."""
    async with engine.connect() as connection:
        return {
            row.consumer for row in await connection.execute(text("SELECT DISTINCT consumer FROM log_cursor"))
        }


async def test_a_change_of_carriers_there_and_back_neither_loses_nor_repeats_nor_keeps_the_log_for_ever(
    uow: UnitOfWork,
    wake: Wake,
    kafka: KafkaCluster,
    metrics: KafkaMetrics,
    effects: Effects,
    database: Database,
) -> None:
    on_postgres, on_kafka = PostgresCarrier(uow, wake), KafkaCarrier(uow, kafka, metrics)
    await announce(uow, [fact(new_id(), str(number)) for number in range(30)])
    async with consuming(on_postgres, effects):
        await until(effects.reached(30))
    assert await cursors(database.engine) == {"steady"}

    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(uow, kafka, wake, metrics).run(stop))
    await announce(uow, [fact(new_id(), str(number)) for number in range(30, 60)])
    async with consuming(on_kafka, effects):
        await until(effects.reached(60))
        assert await cursors(database.engine) == {"relay"}
    stop.set()
    await relay

    await announce(uow, [fact(new_id(), str(number)) for number in range(60, 90)])
    async with consuming(on_postgres, effects):
        await until(effects.reached(90))
    assert await cursors(database.engine) == {"steady"}
    assert await effects.reasons() == {str(number): 1 for number in range(90)}


async def test_a_stop_during_a_rebalance_is_prompt(carrier: KafkaCarrier) -> None:
    async def apply(_: Transaction, deliveries: Sequence[Delivery]) -> None: ...

    readers: list[KafkaReader] = [carrier.reader("many", [Topic.SLA]) for _ in range(3)]
    for reader in readers:
        await reader.start()
        await reader.run_once(apply)
    async with asyncio.timeout(15):
        await asyncio.gather(*(reader.stop() for reader in readers))

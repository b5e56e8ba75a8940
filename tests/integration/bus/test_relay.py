"""The relay brings every event to Kafka at least once and in order, whatever dies meanwhile, and one relay at a time does so."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import ConsumerRecord  # type: ignore[import-untyped]  # ships no types
from aiokafka.admin import NewTopic  # type: ignore[import-untyped]  # ships no types
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.cloud_events import from_record
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.bus.topics import ensure_topics
from leadpact.errors import Transient
from leadpact.events import Event, MessageDeadLettered, SlaCancelled, Topic, decode
from leadpact.events.base import Message
from leadpact.ids import EventId, new_id
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.announced import announced, announced_messages
from tests.support.carrying import announce, fact, until
from tests.support.kafka import administration, producing, records
from tests.support.kafka_broker import KafkaBroker


@pytest.fixture
def relay(uow: UnitOfWork, kafka: KafkaCluster, wake: Wake, metrics: KafkaMetrics) -> Relay:
    return Relay(uow, kafka, wake, metrics)


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[asyncio.Task[None]]:
    """Run ``relay`` until the end of the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])


def reasons(found: Sequence[ConsumerRecord]) -> list[str]:
    """The texts by which the tests know their events."""
    return [SlaCancelled.model_validate_json(record.value).reason for record in found]


async def published(kafka: KafkaCluster, count: int) -> list[ConsumerRecord]:
    """The records of the SLA topic, as soon as there are ``count`` of them."""
    found: list[ConsumerRecord] = []

    async def enough() -> bool:
        nonlocal found
        found = await records(kafka, Topic.SLA)
        return len(found) >= count

    await until(enough)
    return found


async def cursors(engine: AsyncEngine) -> int:
    """How many of the relay's cursors have been moved."""
    async with engine.connect() as connection:
        moved = text("SELECT count(*) FROM log_cursor WHERE consumer = 'relay' AND id > 0")
        return int((await connection.execute(moved)).scalar_one())


def active(registry: CollectorRegistry) -> bool:
    """Whether the relay of these metrics says that it holds the lease."""
    return registry.get_sample_value("leadpact_relay_active") == 1


async def test_every_event_stands_on_kafka_as_it_stands_in_the_log(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster, database: Database
) -> None:
    events: list[Event] = [fact(new_id(), str(number)) for number in range(200)]
    async with relaying(relay):
        async with uow.transaction() as tx:
            for event in events:
                tx.emit(event, caused_by=EventId(new_id()))
        found = await published(kafka, 200)

    deliveries = [from_record("leadpact.sla", "", one.key, one.value, one.headers) for one in found]
    logged = await announced_messages(database.engine)
    assert sorted([one.message for one in deliveries if one.message], key=_id) == sorted(logged, key=_id)


def _id(message: Message) -> str:
    return str(message.id)


async def test_the_events_of_a_key_stand_in_one_partition_in_the_order_they_were_announced(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster
) -> None:
    keys = [new_id() for _ in range(12)]
    async with relaying(relay):
        for number in range(30):
            await announce(uow, [fact(key, str(number)) for key in keys])
        found = await published(kafka, 360)

    by_key: dict[bytes, list[ConsumerRecord]] = defaultdict(list)
    for record in found:
        by_key[record.key].append(record)
    assert len(by_key) == 12
    for of_key in by_key.values():
        assert len({record.partition for record in of_key}) == 1
        assert reasons(of_key) == [str(number) for number in range(30)]


async def test_other_clients_choose_the_same_partitions(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster
) -> None:
    keys = [new_id() for _ in range(40)]
    await announce(uow, [fact(key, "ours") for key in keys])
    async with relaying(relay):
        await published(kafka, 40)
    await asyncio.to_thread(_produce_with_librdkafka, kafka, [str(key).encode() for key in keys])

    partitions: dict[bytes, set[int]] = defaultdict(set)
    for record in await published(kafka, 80):
        partitions[record.key].add(record.partition)
    assert {len(chosen) for chosen in partitions.values()} == {1}
    assert len({next(iter(chosen)) for chosen in partitions.values()}) > 1


def _produce_with_librdkafka(kafka: KafkaCluster, keys: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(kafka.topic_name(Topic.SLA), b"{}", key=key)
    assert producer.flush(10) == 0


async def test_a_relay_that_dies_before_it_moves_its_cursors_repeats_and_loses_nothing(
    uow: UnitOfWork, kafka: KafkaCluster, wake: Wake, metrics: KafkaMetrics, database: Database
) -> None:
    first, second = Relay(uow, kafka, wake, metrics), Relay(uow, kafka, wake, metrics)
    task = asyncio.create_task(first.run(asyncio.Event()))
    await announce(uow, [fact(new_id(), "before")])

    async def settled() -> bool:
        return await cursors(database.engine) == 1

    await until(settled)
    async with database.engine.connect() as connection, connection.begin():
        # Whoever moves a cursor now waits behind this lock, so the relay publishes and dies there. (A row lock would take a
        # transaction id, and hold the horizon back.)
        await connection.execute(text("LOCK TABLE log_cursor IN SHARE MODE"))
        await announce(uow, [fact(new_id(), str(number)) for number in range(20)])
        await published(kafka, 21)
        task.cancel()
    await asyncio.wait([task])
    async with relaying(second):
        found = await published(kafka, 41)

    assert Counter(reasons(found)) == {"before": 1} | {str(number): 2 for number in range(20)}


async def test_of_two_relays_one_works_and_the_other_takes_over(
    uow: UnitOfWork, kafka: KafkaCluster, wake: Wake, database: Database
) -> None:
    here, there = CollectorRegistry(), CollectorRegistry()
    relay_here = Relay(uow, kafka, wake, KafkaMetrics(here))
    relay_there = Relay(uow, kafka, wake, KafkaMetrics(there))
    async with relaying(relay_there):
        await until(lambda: active(there))
        async with relaying(relay_here):
            for number in range(20):
                await announce(uow, [fact(new_id(), str(number))])
            assert Counter(reasons(await published(kafka, 20))) == {str(number): 1 for number in range(20)}
            assert (active(there), active(here)) == (True, False)

    async with relaying(relay_here):
        await announce(uow, [fact(new_id(), "after the change")])
        assert reasons(await published(kafka, 21)).count("after the change") == 1
        assert (active(there), active(here)) == (False, True)


async def test_a_relay_that_was_succeeded_without_knowing_moves_no_cursor(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster, registry: CollectorRegistry, database: Database
) -> None:
    async with relaying(relay):
        await until(lambda: active(registry))
        async with database.engine.begin() as connection:
            succeed = "UPDATE relay_lease SET owner = 'another', epoch = epoch + 1, held_until = now() + interval '1 hour'"
            await connection.execute(text(succeed))
        await announce(uow, [fact(new_id(), str(number)) for number in range(20)])
        await published(kafka, 20)
        await until(lambda: not active(registry))
        assert await cursors(database.engine) == 0

        # The other one dies without having done anything.
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE relay_lease SET held_until = now() - interval '1 second'"))
        assert Counter(reasons(await published(kafka, 40))) == {str(number): 2 for number in range(20)}

        async def moved() -> bool:
            return await cursors(database.engine) > 0

        await until(moved)
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT epoch FROM relay_lease"))).scalar_one() == 3


@pytest.mark.durable_broker
async def test_while_the_broker_is_away_the_relay_says_so_and_the_log_keeps_everything(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster, durable_kafka_broker: KafkaBroker
) -> None:
    async with relaying(relay):
        await announce(uow, [fact(new_id(), "0")])
        await published(kafka, 1)
        await relay.check()

        durable_kafka_broker.kill()
        await announce(uow, [fact(new_id(), str(number)) for number in range(1, 200)])

        async def troubled() -> bool:
            try:
                await relay.check()
            except Transient:
                return True
            return False

        await until(troubled)
        await asyncio.to_thread(durable_kafka_broker.restart)
        found = await published(kafka, 200)

    assert set(reasons(found)) == {str(number) for number in range(200)}
    await relay.check()


async def test_a_relay_without_a_broker_stops_when_it_is_asked_to(
    uow: UnitOfWork, wake: Wake, metrics: KafkaMetrics
) -> None:
    relay = Relay(uow, KafkaCluster("127.0.0.1:1"), wake, metrics)
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))

    async def troubled() -> bool:
        try:
            await relay.check()
        except Transient as error:
            return "Kafka" in str(error)
        return False

    await until(troubled)
    stop.set()
    async with asyncio.timeout(10):
        await task


async def test_a_relay_that_cannot_reach_kafka_leaves_the_work_to_one_that_can(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster, wake: Wake, registry: CollectorRegistry
) -> None:
    here = CollectorRegistry()
    async with relaying(Relay(uow, KafkaCluster("127.0.0.1:1"), wake, KafkaMetrics(here))):
        await until(lambda: (here.get_sample_value("leadpact_relay_failures_total") or 0) > 0)
        async with relaying(relay):
            await announce(uow, [fact(new_id(), "one")])
            assert reasons(await published(kafka, 1)) == ["one"]
            assert (active(registry), active(here)) == (True, False)


async def test_an_event_that_kafka_refuses_as_too_large_is_set_aside_and_the_others_go_on(
    relay: Relay, uow: UnitOfWork, whole_kafka: KafkaCluster, database: Database
) -> None:
    async with administration(whole_kafka) as admin:
        small = {"max.message.bytes": "20000"}
        await admin.create_topics(
            [NewTopic(whole_kafka.topic_name(Topic.SLA), 4, 1, topic_configs=small)],
        )
    key = new_id()
    await announce(
        uow, [fact(key, "first"), fact(key, "x" * 30_000), *(fact(key, "y" * 900) for _ in range(40))]
    )
    async with relaying(relay):
        found = await published(whole_kafka, 41)

        async def told() -> bool:
            return bool(await announced(database.engine, MessageDeadLettered))

        await until(told)

    assert reasons(found) == ["first", *["y" * 900] * 40]
    (letter,) = await announced(database.engine, MessageDeadLettered)
    assert (letter.consumer, letter.origin_topic, letter.origin_key) == ("relay", "leadpact.sla", str(key))
    assert letter.reason == "Kafka refuses it as too large"
    async with database.engine.connect() as connection:
        kept = (await connection.execute(text("SELECT body FROM dead_letter"))).scalar_one()
    assert "x" * 30_000 in kept


async def test_dead_letters_reach_their_topic(relay: Relay, uow: UnitOfWork, kafka: KafkaCluster) -> None:
    letter = MessageDeadLettered(
        occurred_at=fact(new_id(), "").occurred_at,
        dead_letter_id=new_id(),
        consumer="router",
        origin_topic="leadpact.inbound",
        origin_position="3:17",
        origin_type="leadpact.lead.captured.v1",
        origin_key="ana@acme.example",
        reason="cannot be applied",
    )
    async with uow.transaction() as tx:
        tx.emit(letter)
    async with relaying(relay):

        async def there() -> bool:
            return bool(await records(kafka, Topic.DEAD_LETTER))

        await until(there)
    (record,) = await records(kafka, Topic.DEAD_LETTER)
    message = from_record("leadpact.dead-letter", "", record.key, record.value, record.headers).message
    assert message is not None
    assert decode(message, {MessageDeadLettered.TYPE: MessageDeadLettered}) == letter


async def test_topics_are_made_once_by_however_many_want_them(whole_kafka: KafkaCluster) -> None:
    await asyncio.gather(*(ensure_topics(whole_kafka, list(Topic)) for _ in range(4)))
    await ensure_topics(whole_kafka, list(Topic))
    async with administration(whole_kafka) as admin:
        made = await admin.describe_topics([whole_kafka.topic_name(topic) for topic in Topic])
    assert [len(topic["partitions"]) for topic in made] == [4, 4, 4, 4]


async def test_topics_that_cannot_be_made_as_wanted_are_named(whole_kafka: KafkaCluster) -> None:
    wanted = KafkaCluster(whole_kafka.bootstrap, whole_kafka.topic_prefix, replication=7)
    with pytest.raises(Transient, match=r"create .*leadpact\.sla.*InvalidReplicationFactor"):
        await ensure_topics(wanted, [Topic.SLA])


async def test_a_topic_that_is_there_is_taken_as_it_is(
    relay: Relay, uow: UnitOfWork, kafka: KafkaCluster
) -> None:
    async with relaying(relay):
        await announce(uow, [fact(new_id(), "one")])
        await published(kafka, 1)
    async with producing(kafka) as producer:
        assert len(await producer.partitions_for(kafka.topic_name(Topic.SLA))) == 4
    await ensure_topics(
        KafkaCluster(kafka.bootstrap, kafka.topic_prefix, partitions=9, replication=7), [Topic.SLA]
    )

"""Give every test a corner of its own on the session's broker: topics and groups under a prefix that nobody else uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import (  # type: ignore[import-untyped]  # ships no types
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # ships no types
from confluent_kafka import Producer

from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.events import Topic
from tests.support.kafka_broker import KafkaBroker

WHY_NOT_WHOLE = "librdkafka's built-in broker knows no admin requests, no transactions and no group of two"
PARTITIONS = 4  # what librdkafka's broker makes, whatever it is asked for


@pytest.fixture
async def kafka(kafka_broker: KafkaBroker) -> AsyncIterator[KafkaCluster]:
    """The session's broker under a fresh prefix. Topics are made by whoever needs them first, and dropped after the test."""
    cluster = KafkaCluster(kafka_broker.bootstrap, topic_prefix=f"{uuid4().hex[:8]}.", partitions=PARTITIONS)
    names = [cluster.topic_name(topic) for topic in Topic]
    if kafka_broker.kind == "librdkafka":
        await asyncio.to_thread(_touch, cluster.bootstrap, names)
    yield cluster
    if kafka_broker.kind != "librdkafka" and kafka_broker.running:
        async with administration(cluster) as admin:
            await admin.delete_topics(names)


@pytest.fixture
def whole_kafka(kafka: KafkaCluster, kafka_broker: KafkaBroker) -> KafkaCluster:
    """As ``kafka``, on a broker that can do all that Kafka can; else the test is skipped."""
    if kafka_broker.kind == "librdkafka":
        pytest.skip(WHY_NOT_WHOLE)
    return kafka


@asynccontextmanager
async def administration(cluster: KafkaCluster) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for admin requests."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def producing(cluster: KafkaCluster, **options: object) -> AsyncIterator[AIOKafkaProducer]:
    """A plain producer, as another system would use it."""
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(
    cluster: KafkaCluster,
    topic: Topic,
    value: bytes | None,
    *,
    key: bytes | None = None,
    headers: Sequence[tuple[str, bytes]] = (),
) -> str:
    """Write one record to ``topic``; its position there."""
    async with producing(cluster) as producer:
        name = cluster.topic_name(topic)
        written = await producer.send_and_wait(name, value, key=key, headers=list(headers))
        return f"{written.partition}:{written.offset}"


async def records(cluster: KafkaCluster, topic: Topic) -> list[ConsumerRecord]:
    """Everything that stands in ``topic`` now, each partition in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(cluster.topic_name(topic), number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        async with asyncio.timeout(20):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend(batch)
        return found
    finally:
        await consumer.stop()


def _touch(bootstrap: str, names: list[str]) -> None:
    """Make topics on librdkafka's broker, which has no request for it: it makes what it is asked about."""
    client = Producer({"bootstrap.servers": bootstrap})
    for name in names:
        client.list_topics(name, timeout=10)

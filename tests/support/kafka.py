"""Give every test a corner of its own on the session's broker: topics and groups under a prefix that nobody else uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # ships no types
from confluent_kafka import Producer

from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.events import Topic
from tests.support.kafka_broker import KafkaBroker

PARTITIONS = 4  # what librdkafka's broker makes, whatever it is asked for


@pytest.fixture
async def kafka(kafka_broker: KafkaBroker) -> AsyncIterator[KafkaCluster]:
    """The session's broker under a fresh prefix. The topics are made by whoever needs them first, and dropped after the test."""
    cluster = KafkaCluster(kafka_broker.bootstrap, topic_prefix=f"{uuid4().hex[:8]}.", partitions=PARTITIONS)
    names = [cluster.topic_name(topic) for topic in Topic]
    if kafka_broker.kind == "librdkafka":
        await asyncio.to_thread(_touch, cluster.bootstrap, names)
    yield cluster
    if kafka_broker.kind != "librdkafka" and kafka_broker.running:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        await admin.start()
        await admin.delete_topics(names)
        await admin.close()


def _touch(bootstrap: str, names: list[str]) -> None:
    """Make topics on librdkafka's broker, which has no request for it: it makes what it is asked about."""
    client = Producer({"bootstrap.servers": bootstrap})
    for name in names:
        client.list_topics(name, timeout=10)

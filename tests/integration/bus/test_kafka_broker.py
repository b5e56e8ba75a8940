"""The broker that the tests run against is as real as it says, and what it acknowledges survives its death."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka import (  # type: ignore[import-untyped]  # ships no types
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # ships no types

from leadpact.demo.kafka_broker import ApacheKafka, KafkaUnavailable, fetch_jars
from tests.support.kafka_broker import (
    Choice,
    KafkaBroker,
    choose_kafka,
    kafka_header_line,
    start_kafka,
)


async def make_topic(bootstrap: str) -> str:
    topic = f"test.{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.durable_broker
async def test_a_record_survives_the_brokers_death(durable_kafka_broker: KafkaBroker) -> None:
    address = durable_kafka_broker.bootstrap
    topic = await make_topic(address)
    await produce(address, topic, b"before the kill")

    durable_kafka_broker.kill()
    assert not durable_kafka_broker.running
    durable_kafka_broker.restart()

    assert durable_kafka_broker.bootstrap == address
    await produce(address, topic, b"after it")
    assert await read(address, topic, 2) == [b"before the kill", b"after it"]


async def test_a_record_comes_back_from_whatever_broker_there_is(kafka_broker: KafkaBroker) -> None:
    topic = (
        f"test.{uuid4()}" if kafka_broker.kind == "librdkafka" else await make_topic(kafka_broker.bootstrap)
    )
    await produce(kafka_broker.bootstrap, topic, b"there and back")
    assert await read(kafka_broker.bootstrap, topic, 1) == [b"there and back"]


async def test_librdkafkas_broker_serves_where_there_is_no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADPACT_TEST_KAFKA", raising=False)
    monkeypatch.delenv("LEADPACT_REQUIRE_KAFKA", raising=False)
    monkeypatch.setenv("PATH", "")
    assert kafka_header_line().startswith("kafka: librdkafka's built-in broker, which keeps nothing (no java")
    with ExitStack() as resources:
        broker = start_kafka(choose_kafka(), resources)
        assert broker.kind == "librdkafka"
        assert not broker.durable
        assert "no java on the PATH" in broker.why_not_durable
        await produce(broker.bootstrap, "anything", b"there and back")
        assert await read(broker.bootstrap, "anything", 1) == [b"there and back"]


def test_a_required_kafka_that_cannot_run_is_a_failure_and_no_quiet_substitute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADPACT_REQUIRE_KAFKA", "1")
    with (
        ExitStack() as resources,
        pytest.raises(pytest.fail.Exception, match="Apache Kafka cannot run here: no java"),
    ):
        start_kafka(Choice("librdkafka", "no java"), resources)


def test_an_external_cluster_comes_first_and_is_never_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADPACT_TEST_KAFKA", "kafka.acme.example:9092")
    assert "an external cluster" in kafka_header_line()
    with ExitStack() as resources:
        broker = start_kafka(choose_kafka(), resources)
    assert (broker.kind, broker.bootstrap) == ("external", "kafka.acme.example:9092")
    with pytest.raises(AssertionError, match="not ours to kill"):
        broker.kill()


def test_jars_that_are_in_the_cache_need_no_maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEADPACT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailable, match="no mvn"):
        fetch_jars()
    cached = tmp_path / "kafka" / "4.3.0"
    cached.mkdir(parents=True)
    assert fetch_jars() == cached


def test_a_fetch_that_fails_leaves_no_folder_that_looks_complete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    maven = programs / "mvn"
    maven.write_text("#!/bin/sh\necho 'cannot resolve kafka_2.13'; exit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("LEADPACT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(KafkaUnavailable, match="cannot resolve"):
        fetch_jars()
    assert list((tmp_path / "cache" / "kafka").iterdir()) == []


def test_a_broker_that_cannot_start_says_why(
    durable_kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = int(durable_kafka_broker.bootstrap.rpartition(":")[2])
    monkeypatch.setattr("leadpact.demo.kafka_broker._free_ports", lambda: iter([taken, taken + 1]))
    with pytest.raises(KafkaUnavailable, match=r"(?s)did not start.*Address already in use"):
        ApacheKafka.start(tmp_path)


def test_a_cluster_whose_id_begins_with_a_dash_starts_as_well(
    durable_kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("leadpact.demo.kafka_broker.uuid.uuid4", lambda: UUID(bytes=b"\xf8" * 16))
    with ApacheKafka.start(tmp_path) as broker:
        assert broker.bootstrap != durable_kafka_broker.bootstrap

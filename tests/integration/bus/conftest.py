"""The carriers that face the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from leadpact.bus.carriers.kafka import KafkaCarrier
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.carrying import Carrying
from tests.support.kafka import WHY_NOT_WHOLE
from tests.support.kafka_broker import KafkaBroker


@pytest.fixture
def uow(database: Database, wake: Wake) -> UnitOfWork:
    return UnitOfWork(database.engine, source="contract", wake=wake)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> KafkaMetrics:
    return KafkaMetrics(registry)


@pytest.fixture
async def on_postgres(database: Database, uow: UnitOfWork, wake: Wake) -> Carrying:
    return Carrying("postgres", PostgresCarrier(uow, wake), database.engine, uow)


@pytest.fixture
async def on_kafka(
    database: Database,
    uow: UnitOfWork,
    wake: Wake,
    kafka: KafkaCluster,
    metrics: KafkaMetrics,
    kafka_broker: KafkaBroker,
) -> AsyncIterator[Carrying]:
    """Kafka, with a relay that feeds it."""
    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(uow, kafka, wake, metrics).run(stop))
    why_not_shared = WHY_NOT_WHOLE if kafka_broker.kind == "librdkafka" else ""
    yield Carrying("kafka", KafkaCarrier(uow, kafka, metrics), database.engine, uow, why_not_shared)
    stop.set()
    await relay


@pytest.fixture(params=["postgres", "kafka"])
def carrying(request: pytest.FixtureRequest) -> Carrying:
    carrying: Carrying = request.getfixturevalue(f"on_{request.param}")
    return carrying

"""Some tens of kills, in every run of the tests; `make chaos KILLS=500` does as many as asked.

The seed is fixed, so that two runs kill the same processes in the same order. What each kill meets differs from run to run,
and that is wanted: whatever it meets, nothing may be lost, doubled or early.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from leadpact.bus.kafka_cluster import KafkaCluster
from tests.chaos.report import Report
from tests.chaos.storm import Plan, storm
from tests.chaos.victims import Broker
from tests.support.kafka_broker import KafkaBroker

PLAN = Plan(kills=20, seed=20260303, leads_per_second=4.0, pause_seconds=(0.1, 1.2), rush=20)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


async def test_kills_of_services_and_postgres_lose_and_double_nothing() -> None:
    report = await stormy()
    expect_clean(report, victims={"ingest", "router", "sla-timer", "postgres"})


@pytest.mark.durable_broker
async def test_kills_of_services_postgres_and_kafka_lose_and_double_nothing(
    durable_kafka_broker: KafkaBroker, kafka: KafkaCluster
) -> None:
    report = await stormy(Broker(durable_kafka_broker, kafka.topic_prefix))
    expect_clean(report, victims={"ingest", "router", "sla-timer", "postgres", "broker"})


async def stormy(broker: Broker | None = None) -> Report:
    # Not pytest's tmp_path: it is closed to others, and a PostgreSQL that root starts runs as another account.
    with tempfile.TemporaryDirectory(prefix="leadpact-chaos-") as folder:
        return await storm(PLAN, Path(folder), print_nothing, broker=broker)


def print_nothing(said: str) -> None:
    """The test says enough when it fails."""


def expect_clean(report: Report, *, victims: set[str]) -> None:
    assert [str(finding) for finding in report.findings] == []
    assert report.came_to_rest
    assert len(report.kills) == PLAN.kills
    assert {kill.victim for kill in report.kills} == victims
    # It was a storm: leads came in all the while, clocks ran out, people were called.
    assert report.balance is not None
    assert report.balance.accepted == report.balance.applied > PLAN.kills * PLAN.rush / 2
    assert report.balances_taken > 5
    assert report.counts["breaches"] > 100
    assert report.counts["contacts"] > 20
    assert report.counts["webhooks delivered"] > 500

"""How a process is put together, as far as no single part can show it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.cli.assemble import SERVICES, create_app
from leadpact.pact.book import PactBook
from leadpact.runtime.health import Check
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.eventually import eventually
from tests.support.fake_clock import FakeClock


async def test_tokens_last_in_real_time_however_fast_the_products_time_runs(
    database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock
) -> None:
    real_time = FakeClock()
    carrier = PostgresCarrier(uow_for("core"), wake)
    parts = Parts(Settings(), database.engine, clock, wake, carrier, PactBook(), CollectorRegistry())
    async with uow_for("access").transaction() as tx:
        expires_at = real_time.now() + timedelta(hours=1)
        token = await create_token(
            tx, name="t", scopes=[Scope.ADMIN], now=real_time.now(), expires_at=expires_at
        )
    transport = httpx.ASGITransport(create_app(parts, [], real_time=real_time))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://pact.example") as client:
        clock.advance(timedelta(days=365))
        assert (await client.get("/v1/tokens", headers=headers)).status_code == 200
        real_time.advance(timedelta(hours=2))
        assert (await client.get("/v1/tokens", headers=headers)).status_code == 401


@pytest.fixture
def parts(database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock) -> Parts:
    carrier = PostgresCarrier(uow_for("core"), wake)
    return Parts(Settings(), database.engine, clock, wake, carrier, PactBook(), CollectorRegistry())


async def ready(parts: Parts, **watched: Check) -> httpx.Response:
    """What a load balancer is told."""
    transport = httpx.ASGITransport(create_app(parts, [], real_time=parts.clock, watched=watched))
    async with httpx.AsyncClient(transport=transport, base_url="http://pact.example") as client:
        return await client.get("/readyz")


@pytest.mark.parametrize(
    ("service", "media_type"), [("router", "text/html"), ("ingest", "application/problem+json")]
)
async def test_a_browser_is_told_on_a_page_where_the_process_has_the_board(
    parts: Parts, service: str, media_type: str
) -> None:
    transport = httpx.ASGITransport(create_app(parts, [SERVICES[service](parts)], real_time=parts.clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://pact.example") as client:
        answer = await client.get("/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].partition(";")[0] == media_type


async def test_a_relay_that_cannot_work_is_reported_and_leaves_the_process_ready(
    parts: Parts, uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    nobody = KafkaCluster("127.0.0.1:9", "", partitions=1, replication=1)
    relay = Relay(uow_for("core"), nobody, wake, KafkaMetrics(parts.metrics))
    before = await ready(parts, relay=relay.check)
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))

    async def is_reported() -> bool:
        return bool((await ready(parts, relay=relay.check)).json()["watched"] != {"relay": "ok"})

    await eventually(is_reported)
    during = await ready(parts, relay=relay.check)
    stop.set()
    await running

    assert before.json() == {"status": "ready", "watched": {"relay": "ok"}}
    assert (during.status_code, during.json()["status"]) == (200, "ready")
    assert during.json()["watched"] != {"relay": "ok"}


async def test_where_nothing_is_watched_nothing_is_said_of_it(parts: Parts) -> None:
    assert (await ready(parts)).json() == {"status": "ready"}


async def test_a_process_on_another_versions_schema_is_not_ready(parts: Parts) -> None:
    async with parts.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))

    answer = await ready(parts)

    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"] == {"database": "ok", "schema": "Refused"}


async def test_a_process_without_its_database_is_not_ready(parts: Parts) -> None:
    nowhere = create_engine("postgresql://nobody@127.0.0.1:9/none", application="test")

    answer = await ready(replace(parts, engine=nowhere))

    assert answer.status_code == 503
    assert "ok" not in answer.json()["checks"].values()


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_the_probes_answer_those_who_only_want_the_head(parts: Parts, path: str) -> None:
    transport = httpx.ASGITransport(create_app(parts, [], real_time=parts.clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://pact.example") as client:
        assert (await client.head(path)).status_code == 200

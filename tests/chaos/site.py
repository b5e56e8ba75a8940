"""Put up what the storm hits: PostgreSQL, a broker if need be, the services, a CRM, and an agreement with very short promises.

Clocks run out within seconds, so that during a storm leads are handed on and in the end people must decide.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.pact.book import PactBook
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.roster import RepEntry, put_reps
from leadpact_router.webhooks.registry import Wanted, create_endpoint
from tests.chaos.load import Client, Promises, Sales
from tests.chaos.receiver import Crm, listening
from tests.chaos.victims import Broker, Postgres, Service, Stall, Victim, free_ports
from tests.support.postgres import migrate_database

PACT = """
pact: A pact for stormy weather
calendars:
  round: {timezone: UTC, hours: always}
sources:
  demo: {kind: form, intent: demo_request}
  paper: {kind: form, intent: content_download}
  fair: {kind: event_scan, ends: 2026-01-01T18:00 Europe/Berlin}
qualification:
  mql: {any: [{intent: demo_request}], needs: [email]}
routing:
  pools:
    everybody: {members: [ana, ben, cem, dora, emil], calendar: round}
  rules:
    - {name: everyone, to: everybody}
  fallback: everybody
sla:
  first-touch:
    first_touch_within: 3 seconds
    warn_at: [50%]
    on_breach: {reassign: {at_most: 2}, then: {escalate: boss@acme.example}}
  customer:
    starts: received
    first_touch_within: 5 seconds
    warn_at: [1 second left]
"""
REPS = ("ana", "ben", "cem", "dora", "emil")
SERVICES = ("ingest", "router", "sla-timer")
# Few enough that the reps hear of their leads while there is still time to call.
EVENTS = ("lead.assigned", "lead.reassigned", "lead.escalated", "lead.contacted")

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Site:
    """Everything that runs."""

    postgres: Postgres
    broker: Broker | None
    services: list[Service]
    engine: AsyncEngine
    crm: Crm
    client_of: dict[str, Client]
    token: str

    def victims(self, stall_seconds: float | None) -> list[Victim]:
        """Whatever may be killed, and the same services once more to be stalled, if there is a time for it."""
        stalls = [Stall(service, stall_seconds) for service in self.services] if stall_seconds else []
        return [*self.services, self.postgres, *([self.broker] if self.broker else []), *stalls]

    @property
    def kafka(self) -> KafkaCluster | None:
        return self.broker.cluster if self.broker else None


@asynccontextmanager
async def running_site(
    folder: Path, broker: Broker | None, instances: int, promises: Promises, chance: random.Random
) -> AsyncIterator[Site]:
    """Everything started and ready, with ``instances`` of each service; ended when the block ends, whatever happened in it."""
    ports = free_ports()
    async with AsyncExitStack() as stack:
        postgres = await asyncio.to_thread(Postgres, folder / "postgres")
        stack.push_async_callback(asyncio.to_thread, postgres.stop)
        await migrate_database(postgres.url)
        engine = create_engine(postgres.url, application="chaos")
        stack.push_async_callback(engine.dispose)

        crm_port = next(ports)
        secret, token = await _agree(engine, f"http://127.0.0.1:{crm_port}/hook")
        environment = _environment(folder, postgres, broker)
        services = [
            Service(name, next(ports), environment, folder / f"{name}-{number}.log")
            for number in range(instances)
            for name in SERVICES
        ]
        http = await stack.enter_async_context(httpx.AsyncClient())
        client_of = {
            one.name: Client(http, one.url, promises, random.Random(chance.random()))
            for one in services[: len(SERVICES)]
        }
        crm = Crm(secret, Sales(client_of["router"], token).hear)
        await stack.enter_async_context(listening(crm, crm_port))
        for service in services:
            stack.callback(service.end)
            service.start()
        await asyncio.gather(*(ready(http, service) for service in services))
        yield Site(postgres, broker, services, engine, crm, client_of, token)


def _environment(folder: Path, postgres: Postgres, broker: Broker | None) -> dict[str, str]:
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = {
        "TMPDIR": str(temporary),  # who is killed does not tidy up
        "LEADPACT_DATABASE_URL": postgres.url,
        "LEADPACT_WEBHOOK_ALLOW_PRIVATE": "true",
        "LEADPACT_LOG_LEVEL": "warning",
    }
    if broker is not None:
        environment |= {
            "LEADPACT_KAFKA_BOOTSTRAP": broker.cluster.bootstrap,
            "LEADPACT_KAFKA_TOPIC_PREFIX": broker.cluster.topic_prefix,
            "LEADPACT_KAFKA_PARTITIONS": str(broker.cluster.partitions),
        }
    return environment


async def _agree(engine: AsyncEngine, hook: str) -> tuple[str, str]:
    """The pact, the reps, a webhook endpoint and a token; the endpoint's secret and the token."""
    now = datetime.now(UTC)
    async with UnitOfWork(engine, source="chaos", wake=Wake()).transaction() as tx:
        await PactBook().apply(tx, PACT, applied_by="chaos")
        reps = [RepEntry(rep, rep.title(), f"{rep}@acme.example", "UTC") for rep in REPS]
        await put_reps(tx, reps, now)
        _, secret = await create_endpoint(tx, Wanted(hook, EVENTS), now)
        return secret, await create_token(tx, name="chaos", scopes=[Scope.WORK, Scope.INGEST], now=now)


async def ready(http: httpx.AsyncClient, service: Service) -> None:
    """Wait until ``service`` answers that it is ready."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                if (await http.get(f"{service.url}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)

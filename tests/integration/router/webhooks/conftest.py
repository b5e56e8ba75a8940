"""A router's webhooks from the log to a real receiver, with the time in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.events import Event
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.webhooks.deliver import Deliverer
from leadpact_router.webhooks.fan_out import CONSUMER, TOPICS, fan_out_consumer
from leadpact_router.webhooks.http import webhook_client
from leadpact_router.webhooks.metrics import WebhookMetrics
from leadpact_router.webhooks.registry import DEFAULT_EVENTS, Wanted, create_endpoint
from tests.conftest import Database
from tests.support.fake_clock import FakeClock
from tests.support.webhook_receiver import Received, ReceiverZoo


@dataclass
class Webhooks:
    """What the tests of this folder do with webhooks."""

    uow: UnitOfWork
    clock: FakeClock
    wake: Wake
    zoo: ReceiverZoo
    client: httpx.AsyncClient
    secrets: dict[UUID, str] = field(default_factory=dict)
    _deliverer: Deliverer | None = None

    async def endpoint(self, path: str = "/200", *, events: tuple[str, ...] = DEFAULT_EVENTS) -> UUID:
        """Register the receiver's ``path``."""
        async with self.uow.transaction() as tx:
            endpoint_id, secret = await create_endpoint(
                tx, Wanted(self.zoo.url(path), events), self.clock.now()
            )
        self.secrets[endpoint_id] = secret
        return endpoint_id

    async def announce(self, *events: Event) -> None:
        """Put events in the log and let the fan-out read all that is there."""
        async with self.uow.transaction() as tx:
            for event in events:
                tx.emit(event)
        await self.fan_out()

    async def fan_out(self) -> None:
        reader = PostgresCarrier(self.uow, self.wake).reader(CONSUMER, TOPICS)
        await reader.start()
        consumer = fan_out_consumer(self.clock)
        while await consumer.run_once(reader):
            pass

    def deliverer(self) -> Deliverer:
        """A deliverer as another process would have one. Its dice always fall in the middle: no jitter."""
        metrics = WebhookMetrics(CollectorRegistry())
        return Deliverer(self.uow, self.clock, self.wake, self.client, metrics, chance=lambda: 0.5)

    async def deliver(self, deliverer: Deliverer | None = None) -> None:
        """Call for whatever is due now, until nothing is, and record it."""
        deliverer = deliverer or self.deliverer()
        called = -1
        while called != len(self.zoo.received):
            called = len(self.zoo.received)
            await deliverer.turn()
            await deliverer.finish()

    async def rows(self, query: str, **parameters: object) -> list[Any]:
        async with self.uow.transaction() as tx:
            return list((await tx.execute(text(query), parameters)).all())

    async def change(self, statement: str, **parameters: object) -> None:
        async with self.uow.transaction() as tx:
            await tx.execute(text(statement), parameters)

    async def states(self) -> list[str]:
        return [row.state for row in await self.rows("SELECT state FROM delivery ORDER BY place")]

    def received_ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.zoo.received]

    async def reached(self, count: int) -> list[Received]:
        """Wait until ``count`` requests have reached the receiver."""
        async with asyncio.timeout(20):
            while len(self.zoo.received) < count:
                self.zoo.visited.clear()
                if len(self.zoo.received) < count:
                    await self.zoo.visited.wait()
        return self.zoo.received


@asynccontextmanager
async def _webhooks(uow: UnitOfWork, clock: FakeClock, wake: Wake) -> AsyncIterator[Webhooks]:
    async with ReceiverZoo.running() as zoo, webhook_client(allow_private=True) as client:
        yield Webhooks(uow, clock, wake, zoo, client)


@pytest.fixture
async def webhooks(
    database: Database, uow_for: Callable[[str], UnitOfWork], clock: FakeClock, wake: Wake
) -> AsyncIterator[Webhooks]:
    async with _webhooks(uow_for("router"), clock, wake) as webhooks:
        yield webhooks

"""Consume captured leads one at a time: take one, route it in a session of its own, commit, take the next.

Two ways to be fed, as applications commonly are: a queue table in PostgreSQL, or a Kafka topic read with ``getone``, whose offset is committed after the
database. Both are correct: a crash repeats a lead, and the inbox recognises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bench.baseline.models import OutgoingEvent, QueuedLead
from bench.baseline.route_lead import route_lead
from leadpact.clock import Clock, wait_for
from leadpact.events import LeadCaptured
from leadpact.ids import EventId
from leadpact.pact.book import AppliedPact
from leadpact_router.calendars import RepCalendars

POLL_SECONDS = 0.05
"""How long an empty queue table is left alone."""

Told = Callable[[OutgoingEvent], Awaitable[None]]


async def tell_nobody(_: OutgoingEvent) -> None:
    """For runs that end at the commit."""


async def create_queue(engine: AsyncEngine) -> None:
    """Make the queue table: the one that the product does not have."""
    async with engine.begin() as connection:
        await connection.run_sync(QueuedLead.metadata.tables[QueuedLead.__tablename__].create)


class OneAtATime:
    """Routes one lead per session. ``told`` is called after the commit that gave a lead its owner."""

    def __init__(
        self, engine: AsyncEngine, applied: AppliedPact, clock: Clock, told: Told = tell_nobody
    ) -> None:
        # Without autoflush and expiry, the mapper sends no statement that is not needed.
        self._sessions = async_sessionmaker(engine, autoflush=False, expire_on_commit=False)
        self._applied = applied
        self._calendars = RepCalendars(applied.pact)
        self._clock = clock
        self._told = told

    async def from_queue(self) -> bool:
        """Route the oldest row of the queue table; False if it is empty."""
        async with self._sessions() as session, session.begin():
            oldest = select(QueuedLead).order_by(QueuedLead.id).limit(1).with_for_update(skip_locked=True)
            queued = await session.scalar(oldest)
            if queued is None:
                return False
            assigned = await self._route(session, EventId(queued.event_id), queued.data)
            await session.delete(queued)
        if assigned is not None:
            await self._told(assigned)
        return True

    async def from_kafka(self, consumer: AIOKafkaConsumer) -> None:
        """Route the next record."""
        record = await consumer.getone()
        headers = dict(record.headers)
        async with self._sessions() as session, session.begin():
            assigned = await self._route(session, EventId(UUID(headers["ce_id"].decode())), record.value)
        await consumer.commit()
        if assigned is not None:
            await self._told(assigned)

    async def _route(
        self, session: AsyncSession, event_id: EventId, data: str | bytes
    ) -> OutgoingEvent | None:
        event = LeadCaptured.model_validate_json(data)
        return await route_lead(session, event_id, event, self._applied, self._calendars, self._clock.now())


@asynccontextmanager
async def subscribed(bootstrap: str, topic: str, *, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of the whole topic."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def run_from_queue(one_at_a_time: OneAtATime, stop: asyncio.Event) -> None:
    """Route whatever is queued until ``stop``."""
    while not stop.is_set():
        if not await one_at_a_time.from_queue():
            await wait_for(stop, POLL_SECONDS)


async def run_from_kafka(one_at_a_time: OneAtATime, consumer: AIOKafkaConsumer) -> None:
    """Route whatever comes, until cancelled."""
    while True:
        await one_at_a_time.from_kafka(consumer)

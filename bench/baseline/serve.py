"""Serve the baseline: one process that takes posts, routes leads one at a time and calls the webhook.

    python -m bench.baseline.serve --database-url URL --port PORT --webhook URL --secret whsec_... [--kafka HOST:PORT --topic TOPIC]

A post is stored in a transaction of its own. Where PostgreSQL carries, that also queues it; where Kafka does, it is sent before the answer.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import httpx
import uvicorn
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # ships no types
from fastapi import Body, FastAPI, HTTPException
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from bench.baseline.consume import OneAtATime, run_from_kafka, run_from_queue, subscribed
from bench.baseline.models import OutgoingEvent, QueuedLead, RawPost, Receipt
from bench.workload import SOURCE
from leadpact.bus.cloud_events import to_record
from leadpact.clock import DatabaseClock
from leadpact.events import LeadCaptured, Message
from leadpact.ids import EventId, new_id
from leadpact.pact.book import PactBook
from leadpact.storage.database_time import database_clock
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_ingest.canonical import Unusable, canonicalise
from leadpact_router.webhooks.payload import webhook_body
from leadpact_router.webhooks.signing import signed_headers

Fields = Annotated[dict[str, JsonValue], Body()]
Publish = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Options:
    database_url: str
    port: int
    webhook: str
    secret: str
    kafka: str | None
    topic: str


class Door:
    """Stores posts. ``publish`` sends them on; None leaves them in the queue table."""

    def __init__(self, engine: AsyncEngine, publish: Publish | None) -> None:
        self._sessions = async_sessionmaker(engine, autoflush=False, expire_on_commit=False)
        self._publish = publish

    async def take(self, fields: dict[str, JsonValue]) -> UUID:
        """The receipt of a lead that is stored for good."""
        received_at = datetime.now(UTC)
        draft = canonicalise(fields, received_at=received_at)
        if isinstance(draft, Unusable):
            raise HTTPException(422, [problem.message for problem in draft.problems])
        receipt_id, event_id = new_id(), EventId(new_id())
        event = LeadCaptured(
            occurred_at=received_at,
            receipt_id=receipt_id,
            source=SOURCE,
            source_kind="form",
            intent="demo_request",
            received_at=received_at,
            lead=draft,
        )
        async with self._sessions() as session, session.begin():
            session.add(Receipt(id=receipt_id, source=SOURCE, status="accepted", received_at=received_at))
            session.add(
                RawPost(
                    receipt_id=receipt_id,
                    content_type="application/json",
                    body=draft.model_dump_json().encode(),
                )
            )
            if self._publish is None:
                session.add(QueuedLead(event_id=event_id, data=event.to_json()))
        if self._publish is not None:
            await self._publish(
                Message(
                    event_id,
                    event.TYPE,
                    "/leadpact/baseline",
                    event.TOPIC,
                    event.key,
                    received_at,
                    event.to_json(),
                )
            )
        return receipt_id


def create_app(options: Options) -> FastAPI:
    """The application; its consumer runs as long as it does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.door = await _open(options, stack)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/leads", status_code=202)
    async def take_lead(fields: Fields) -> dict[str, str]:
        return {"receipt": str(await app.state.door.take(fields))}

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


async def _open(options: Options, stack: AsyncExitStack) -> Door:
    """Everything that the application needs, running; ``stack`` ends it."""
    engine = create_engine(options.database_url, application="baseline", pool_size=16)
    stack.push_async_callback(engine.dispose)
    uow = UnitOfWork(engine, source="baseline", wake=Wake())
    async with uow.transaction() as tx:
        applied = await PactBook().current(tx)
    client = await stack.enter_async_context(httpx.AsyncClient())
    clock: DatabaseClock = await database_clock(uow)

    async def call_webhook(event: OutgoingEvent) -> None:
        body = webhook_body(event.message())
        headers = signed_headers(options.secret, str(event.event_id), datetime.now(UTC), body)
        (await client.post(options.webhook, content=body, headers=headers)).raise_for_status()

    routing = OneAtATime(engine, applied, clock, call_webhook)
    stop = asyncio.Event()
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    stack.callback(stop.set)
    if options.kafka is None:
        tasks.create_task(run_from_queue(routing, stop))
        return Door(engine, None)
    producer = AIOKafkaProducer(bootstrap_servers=options.kafka, acks="all")
    await producer.start()
    stack.push_async_callback(producer.stop)
    consumer = await stack.enter_async_context(
        subscribed(options.kafka, options.topic, group=f"{options.topic}.one")
    )
    consuming = tasks.create_task(run_from_kafka(routing, consumer))
    stack.callback(consuming.cancel)

    async def publish(message: Message) -> None:
        record = to_record(message)
        await producer.send_and_wait(options.topic, record.value, key=record.key, headers=record.headers)

    return Door(engine, publish)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--kafka")
    parser.add_argument("--topic", default="")
    options = Options(**vars(parser.parse_args()))
    uvicorn.run(create_app(options), port=options.port, log_level="warning")


if __name__ == "__main__":
    main()

"""Queue every event for every endpoint that asked for it, once, however often the event arrives.

The consumer group ``webhooks`` reads the topics of leads and clocks. An event's body is made once; each endpoint that wants the event gets
a row in ``delivery``, and ``UNIQUE (endpoint_id, event_id)`` keeps it at one. An endpoint that is switched off is
queued for as well: what happened meanwhile is sent when it is switched on again.

A lead's events are queued in the order of the log within each of the two topics, and in no order between them: a group reads its topics
independently of each other, with either carrier. `docs/interfaces.md` says so to receivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from leadpact.bus.carrier import ApplyBatch, Delivery, Reader
from leadpact.bus.consume import Consumer, Received
from leadpact.clock import Clock
from leadpact.events import EVENTS, Event, Topic
from leadpact.ids import new_id
from leadpact.storage.bulk import Insert, insert_together
from leadpact.storage.unit_of_work import Transaction
from leadpact.storage.wake import Wake
from leadpact_router.webhooks.payload import webhook_body, webhook_type
from leadpact_router.webhooks.tables import delivery, webhook_message

CONSUMER = "webhooks"
TOPICS = (Topic.LEADS, Topic.SLA)
QUEUED = "webhooks.queued"
"""What the deliverer is poked with after something was queued."""

WEBHOOK_EVENTS: dict[str, type[Event]] = {
    webhook_type(event.TYPE): event for event in EVENTS if event.TOPIC in TOPICS
}
"""What an endpoint may ask for, by the name that receivers know."""

# KEY SHARE: an endpoint cannot be deleted between this look and our insert, and its deliverer is not held up.
_ENDPOINTS = text("SELECT id, events FROM webhook_endpoint ORDER BY id FOR KEY SHARE")


def fan_out_consumer(clock: Clock) -> Consumer:
    """The consumer that queues deliveries."""

    async def queue(tx: Transaction, received: Sequence[Received]) -> None:
        await queue_deliveries(tx, received, clock)

    return Consumer(CONSUMER, dict.fromkeys(WEBHOOK_EVENTS.values(), queue), clock)


async def queue_deliveries(tx: Transaction, received: Sequence[Received], clock: Clock) -> None:
    """Queue ``received``, in order, for whoever asked for them."""
    endpoints = [(row.id, frozenset(row.events)) for row in await tx.execute(_ENDPOINTS)]
    wanted = [
        (item, takers)
        for item in received
        if (
            takers := [
                endpoint for endpoint, events in endpoints if webhook_type(item.message.type) in events
            ]
        )
    ]
    now = clock.now()
    messages = [
        {
            "event_id": item.message.id,
            "type": webhook_type(item.message.type),
            "lead_id": _lead_of(item.event),
            "body": webhook_body(item.message).decode(),
            "queued_at": now,
        }
        for item, _ in wanted
    ]
    deliveries = [
        {
            "id": new_id(),
            "endpoint_id": endpoint,
            "event_id": item.message.id,
            "lead_id": _lead_of(item.event),
            "next_at": now,
            "queued_at": now,
        }
        for item, takers in wanted
        for endpoint in takers
    ]
    await insert_together(
        tx,
        Insert(webhook_message, messages, "DO NOTHING"),
        Insert(delivery, deliveries, "DO NOTHING"),
    )


def _lead_of(event: Event) -> UUID | None:
    """The lead that the event is about, in whose order it is delivered; news of a rep may be about none."""
    lead_id: UUID | None = getattr(event, "lead_id", None)
    return lead_id


class PokingReader:
    """A reader that wakes the deliverer after each batch that was applied and committed."""

    def __init__(self, reader: Reader, wake: Wake) -> None:
        self._reader = reader
        self._wake = wake

    async def start(self) -> None:
        await self._reader.start()

    async def run_once(self, apply: ApplyBatch) -> bool:
        applied = False

        async def noting(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
            nonlocal applied
            await apply(tx, deliveries)
            applied = True

        more = await self._reader.run_once(noting)
        if applied:
            self._wake.poke([QUEUED])
        return more

    async def wait(self, stop: asyncio.Event) -> None:
        await self._reader.wait(stop)

    async def stop(self) -> None:
        await self._reader.stop()

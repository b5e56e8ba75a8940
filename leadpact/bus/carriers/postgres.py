"""Carry messages with PostgreSQL alone: a consumer group is a row per (topic, shard) that remembers how far it has read.

One batch is one transaction:

1. claim some cursor rows of this group behind which something stands, ``FOR UPDATE SKIP LOCKED``, read the messages after each of them,
   below the snapshot's horizon (`storage/outbox.py` says why), and move the cursors past them: one statement;
2. apply the messages, and commit.

The row lock *is* the membership: several instances of a group share the shards by whoever locks first, two never work on the same
shard, so never on the same lead; a killed instance's locks are free as soon as the server notices the closed connection.
There is no lease to expire and no rebalance.

Waiting: for a poke from a writer in this process, or for the next poll. Polls find what other processes write; they back off to
``poll_at_most_seconds`` while nothing comes. Where something was seen that is still above the horizon, some transaction is about to
end, and nobody will poke when it does: then the polls begin at 2 ms.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from leadpact.bus.carrier import ApplyBatch, Delivery
from leadpact.events.base import Topic
from leadpact.storage import log
from leadpact.storage.outbox import SHARDS
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake

_HIDDEN_POLL_SECONDS = 0.002
_FIRST_POLL_SECONDS = 0.02


class PostgresCarrier:
    """The default carrier: nothing to run beside the database."""

    def __init__(
        self, uow: UnitOfWork, wake: Wake, *, batch_size: int = 500, poll_at_most_seconds: float = 0.25
    ) -> None:
        self._uow = uow
        self._wake = wake
        self._batch_size = batch_size
        self._poll_at_most_seconds = poll_at_most_seconds

    def reader(self, consumer: str, topics: Sequence[Topic]) -> PostgresReader:
        # What a group announces while it applies a batch, it announces in its own name.
        uow = self._uow.named(consumer)
        return PostgresReader(uow, self._wake, consumer, topics, self._batch_size, self._poll_at_most_seconds)


class PostgresReader:
    """One instance of a group."""

    def __init__(
        self,
        uow: UnitOfWork,
        wake: Wake,
        consumer: str,
        topics: Sequence[Topic],
        batch_size: int,
        poll_at_most_seconds: float,
    ) -> None:
        self._uow = uow
        self._consumer = consumer
        self._topics = [topic.value for topic in topics]
        # Half of a topic's shards at a time: a second instance finds the other half free, also while only one topic is busy.
        self._shards = SHARDS // 2
        self._per_shard = max(1, batch_size // self._shards)
        self._sleeper = wake.sleeper(self._topics)
        self._poll_at_most_seconds = poll_at_most_seconds
        self._poll_seconds = _FIRST_POLL_SECONDS

    async def start(self) -> None:
        async with self._uow.transaction() as tx:
            # Left over from a time with Kafka, these would keep every later message from ever being deleted.
            await log.forget(tx, log.RELAY)
            await log.register(tx, self._consumer, self._topics)

    async def run_once(self, apply: ApplyBatch) -> bool:
        self._sleeper.forget()  # whatever has been announced so far is seen now
        async with self._uow.transaction() as tx:
            entries, hidden = await log.take(
                tx, self._consumer, self._topics, shards=self._shards, per_shard=self._per_shard
            )
            if entries:
                await apply(tx, [_delivery(entry) for entry in entries])
        read = Counter((entry.place.topic, entry.place.shard) for entry in entries)
        if entries:
            self._poll_seconds = _HIDDEN_POLL_SECONDS
        if not hidden:
            self._poll_seconds = max(self._poll_seconds, _FIRST_POLL_SECONDS)
        is_full = len(read) == self._shards or self._per_shard in read.values()
        return is_full or self._sleeper.is_poked

    async def wait(self, stop: asyncio.Event) -> None:
        poked = await self._sleeper.wait(stop, self._poll_seconds)
        longer = min(self._poll_seconds * 2, self._poll_at_most_seconds)
        self._poll_seconds = _HIDDEN_POLL_SECONDS if poked else longer

    async def stop(self) -> None:
        """Nothing to leave: the locks ended with the last transaction."""


def _delivery(entry: log.Entry) -> Delivery:
    place = entry.place
    return Delivery(
        topic=place.topic, position=f"{place.shard}:{place.xid}:{place.id}", message=entry.message
    )

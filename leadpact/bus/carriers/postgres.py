"""Carry messages with PostgreSQL alone: a consumer group is a row per (topic, shard) that remembers how far it has read.

One batch is one transaction:

1. claim some cursor rows of this group behind which something is waiting, ``FOR UPDATE SKIP LOCKED``;
2. read the messages after each of them, below the snapshot's horizon (`storage/outbox.py` says why);
3. apply them;
4. move the cursors, and commit.

The row lock *is* the membership: several instances of a group share the shards by whoever locks first, two never work on the same
shard, so never on the same lead; a killed instance's locks are free as soon as the server notices the closed connection.
There is no lease to expire and no rebalance.

Waiting: a poke from a writer in this process, or a poll that backs off from 5 ms to ``poll_at_most_seconds`` while nothing comes. After a poke the
row may still be above the horizon (another transaction is running); that is why the back-off starts small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from leadpact.bus.carrier import ApplyBatch, Delivery
from leadpact.events.base import Message, Topic
from leadpact.ids import EventId
from leadpact.storage.outbox import SHARDS
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake

_FIRST_POLL_SECONDS = 0.005

_REGISTER = text(
    """
    INSERT INTO log_cursor (consumer, topic, shard)
    SELECT :consumer, topic, shard
    FROM unnest(CAST(:topics AS text[])) AS topic, generate_series(0, :last_shard) AS shard
    ON CONFLICT DO NOTHING
    """
)

# The closing condition is checked again on the locked row, so a cursor that another instance has just moved is read as moved.
_CLAIM = text(
    """
    SELECT c.topic, c.shard, CAST(c.xid AS text) AS xid, c.id
    FROM log_cursor c
    WHERE c.consumer = :consumer AND c.topic = ANY(CAST(:topics AS text[]))
      AND EXISTS (
        SELECT FROM outbox o
        WHERE o.topic = c.topic AND o.shard = c.shard AND (o.xid, o.id) > (c.xid, c.id)
          AND o.xid < pg_snapshot_xmin(pg_current_snapshot()))
    LIMIT :shards
    FOR UPDATE OF c SKIP LOCKED
    """
)

_READ = text(
    """
    SELECT m.*
    FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(CAST(:xids AS text[]) AS xid8[]), CAST(:ids AS bigint[]))
         AS c(topic, shard, xid, id)
    CROSS JOIN LATERAL (
        SELECT o.topic, o.shard, CAST(o.xid AS text) AS xid, o.id, o.event_id, o.type, o.source, o.key, o.occurred_at, o.causation_id,
               CAST(o.data AS text) AS data
        FROM outbox o
        WHERE o.topic = c.topic AND o.shard = c.shard AND (o.xid, o.id) > (c.xid, c.id)
          AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY o.xid, o.id
        LIMIT :per_shard
    ) m
    """
)

_MOVE = text(
    """
    UPDATE log_cursor c SET xid = n.xid, id = n.id
    FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(CAST(:xids AS text[]) AS xid8[]), CAST(:ids AS bigint[]))
         AS n(topic, shard, xid, id)
    WHERE c.consumer = :consumer AND c.topic = n.topic AND c.shard = n.shard
    """
)


@dataclass(frozen=True, slots=True)
class _Cursor:
    topic: str
    shard: int
    xid: str
    id: int


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
        return PostgresReader(
            self._uow, self._wake, consumer, topics, self._batch_size, self._poll_at_most_seconds
        )


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
        # Half of the shards at a time: a second instance finds the other half free.
        self._shards = max(1, SHARDS * len(topics) // 2)
        self._per_shard = max(1, batch_size // self._shards)
        self._sleeper = wake.sleeper(self._topics)
        self._poll_at_most_seconds = poll_at_most_seconds
        self._poll_seconds = _FIRST_POLL_SECONDS

    async def start(self) -> None:
        async with self._uow.transaction() as tx:
            await tx.execute(
                _REGISTER, {"consumer": self._consumer, "topics": self._topics, "last_shard": SHARDS - 1}
            )

    async def run_once(self, apply: ApplyBatch) -> bool:
        async with self._uow.transaction() as tx:
            cursors = await self._claim(tx)
            rows = await self._read(tx, cursors) if cursors else []
            if rows:
                await apply(tx, [_delivery(row) for row in rows])
                await self._move(tx, rows)
        if rows:
            self._poll_seconds = _FIRST_POLL_SECONDS
        return bool(rows)

    async def wait(self, stop: asyncio.Event) -> None:
        poked = await self._sleeper.wait(stop, self._poll_seconds)
        longer = min(self._poll_seconds * 2, self._poll_at_most_seconds)
        self._poll_seconds = _FIRST_POLL_SECONDS if poked else longer

    async def stop(self) -> None:
        """Nothing to leave: the locks ended with the last transaction."""

    async def _claim(self, tx: Transaction) -> list[_Cursor]:
        claimed = await tx.execute(
            _CLAIM, {"consumer": self._consumer, "topics": self._topics, "shards": self._shards}
        )
        return [_Cursor(row.topic, row.shard, row.xid, row.id) for row in claimed]

    async def _read(self, tx: Transaction, cursors: Sequence[_Cursor]) -> list[Any]:
        found = await tx.execute(_READ, {**_arrays(cursors), "per_shard": self._per_shard})
        return list(found)

    async def _move(self, tx: Transaction, rows: Sequence[Any]) -> None:
        last = {(row.topic, row.shard): _Cursor(row.topic, row.shard, row.xid, row.id) for row in rows}
        await tx.execute(_MOVE, {"consumer": self._consumer, **_arrays(list(last.values()))})


def _arrays(cursors: Sequence[_Cursor]) -> dict[str, list[Any]]:
    return {
        "topics": [cursor.topic for cursor in cursors],
        "shards": [cursor.shard for cursor in cursors],
        "xids": [cursor.xid for cursor in cursors],
        "ids": [cursor.id for cursor in cursors],
    }


def _delivery(row: Any) -> Delivery:
    message = Message(
        id=EventId(row.event_id),
        type=row.type,
        source=row.source,
        topic=row.topic,
        key=row.key,
        occurred_at=row.occurred_at,
        data=row.data,
        causation_id=row.causation_id,
    )
    return Delivery(topic=row.topic, position=f"{row.shard}:{row.xid}:{row.id}", message=message)

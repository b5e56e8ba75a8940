"""Play the tricks that a log and a carrier may play: the same events again, in another order, from the beginning."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.storage.bulk import unnest
from leadpact.storage.tables import outbox
from leadpact_ingest import receipts
from leadpact_router import handlers
from leadpact_router.webhooks import fan_out
from leadpact_sla_timer import handlers as timer_handlers

_COLUMNS = ("topic", "shard", "event_id", "type", "source", "key", "occurred_at", "causation_id", "data")
_APPEND = text(
    f"""
    INSERT INTO outbox ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS[:-1])}, CAST(data AS json) FROM {unnest(outbox, _COLUMNS)}
    """
)
_ALL = text(f"SELECT {', '.join(_COLUMNS[:-1])}, CAST(data AS text) AS data FROM outbox ORDER BY xid, id")
_SOME = text(
    f"""
    SELECT {", ".join(_COLUMNS[:-1])}, CAST(data AS text) AS data FROM outbox TABLESAMPLE BERNOULLI (40)
    ORDER BY random() LIMIT :limit
    """
)
_WAITING = text(
    """
    SELECT count(*) FROM log_cursor c JOIN outbox o USING (topic, shard) WHERE (o.xid, o.id) > (c.xid, c.id)
    """
)

_READ = {
    (consumer, topic.value)
    for consumer, topics in (
        (receipts.CONSUMER, receipts.TOPICS),
        (handlers.CONSUMER, handlers.TOPICS),
        (fan_out.CONSUMER, fan_out.TOPICS),
        (timer_handlers.CONSUMER, timer_handlers.TOPICS),
    )
    for topic in topics
}
"""Which group reads which topic."""


async def shuffle_and_double(engine: AsyncEngine, chance: random.Random) -> None:
    """Write the whole log anew: the events of different keys in any order, those of one key in theirs, and each of them twice."""
    async with engine.begin() as connection:
        by_key = defaultdict(list)
        for row in await connection.execute(_ALL):
            by_key[row.topic, row.key].append(row)
        await connection.execute(text("DELETE FROM outbox"))
        lanes = [rows[:] for rows in by_key.values()] + [rows[:] for rows in by_key.values()]
        turns = [lane for lane in lanes for _ in lane]
        chance.shuffle(turns)
        # Both copies of a key's events keep their order; which of the two comes first at any point is chance.
        await _append(connection, [lane.pop(0) for lane in turns])


async def repeat_some(engine: AsyncEngine, *, limit: int) -> None:
    """Append up to ``limit`` events that were announced before, in any order."""
    async with engine.begin() as connection:
        await _append(connection, (await connection.execute(_SOME, {"limit": limit})).all())


async def repeat_until(stop: asyncio.Event, engine: AsyncEngine) -> None:
    """Keep repeating until ``stop``."""
    while not stop.is_set():
        await repeat_some(engine, limit=150)
        await asyncio.sleep(0.2)


async def rewind(engine: AsyncEngine) -> None:
    """Set every reader back to the beginning: the consumer groups, and the relay if there is one."""
    async with engine.begin() as connection:
        # A relay that is in the middle of a round would move on from where it was: as after a change of hands, it may not.
        await connection.execute(text("UPDATE relay_lease SET epoch = epoch + 1"))
        await connection.execute(text("UPDATE log_cursor SET xid = '0'::xid8, id = 0"))
        await connection.execute(text("UPDATE kafka_offset SET next_offset = 0"))


async def all_is_read(engine: AsyncEngine, kafka: KafkaCluster | None) -> bool:
    """Whether every reader of the three services has come to the end of what there is to read.

    One that has no place yet, since its process was killed before it had joined, has not.
    """
    async with engine.connect() as connection:
        waiting = (await connection.execute(_WAITING)).scalar_one()
        cursors = (await connection.execute(text("SELECT DISTINCT consumer, topic FROM log_cursor"))).all()
        offsets = (await connection.execute(text("SELECT * FROM kafka_offset"))).all()
    if kafka is None:
        return not waiting and {(row.consumer, row.topic) for row in cursors} >= _READ
    places = {(row.consumer, TopicPartition(row.topic, row.partition)): row.next_offset for row in offsets}
    expected = {
        (consumer, TopicPartition(kafka.topic_name(topic), partition))
        for consumer, topic in _READ
        for partition in range(kafka.partitions)
    }
    if waiting or not expected <= places.keys():
        return False
    ends = await _ends(kafka, {place for _, place in places})
    return all(next_offset >= ends[place] for (_, place), next_offset in places.items())


async def _ends(kafka: KafkaCluster, places: set[Any]) -> dict[Any, int]:
    client = AIOKafkaConsumer(**kafka.client_options(request_seconds=5))
    await client.start()
    try:
        ends: dict[Any, int] = await client.end_offsets(sorted(places))
    finally:
        await client.stop()
    return ends


async def _append(connection: AsyncConnection, rows: Sequence[Any]) -> None:
    if rows:
        columns = zip(*(tuple(row) for row in rows), strict=True)
        await connection.execute(_APPEND, dict(zip(_COLUMNS, map(list, columns), strict=True)))

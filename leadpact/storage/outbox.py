"""Append what a transaction announces to the log, and delete what every reader has passed.

The outbox table *is* the log. A row's place is ``(xid, id)``: the transaction that wrote it, then the order inside. Ids alone would not do:
an id is taken at the insert but becomes visible at the commit, so a reader that remembers the highest id it saw skips
a row whose transaction commits late. A reader therefore reads only rows whose ``xid`` lies below the oldest transaction still running
(``pg_snapshot_xmin``): below that line nothing can appear any more. A long write transaction anywhere in the database server thus
delays readers and loses nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from leadpact.events.base import Event, Topic
from leadpact.ids import EventId, new_id
from leadpact.storage.bulk import unnest
from leadpact.storage.tables import outbox

SHARDS = 16  # how many instances of one consumer group can work side by side


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event that waits for its transaction to commit."""

    event: Event
    caused_by: EventId | None


_COLUMNS = ("topic", "shard", "event_id", "type", "source", "key", "occurred_at", "causation_id", "data")
# WITH ORDINALITY would cost a sort; unnest returns rows in array order and the identity column numbers them in that order.
_APPEND = text(
    f"INSERT INTO outbox ({', '.join(_COLUMNS)}) "
    f"SELECT topic, shard, event_id, type, source, key, occurred_at, causation_id, CAST(data AS json) "
    f"FROM {unnest(outbox, _COLUMNS)}"
)


def shard_of(key: str) -> int:
    """The shard of a key: the same in every process and every version, unlike Python's ``hash``."""
    return zlib.crc32(key.encode()) % SHARDS


async def announce(
    connection: AsyncConnection, source: str, announcements: Sequence[Announcement]
) -> list[EventId]:
    """Write the events to the log, in order, with one statement. Returns their ids."""
    if not announcements:
        return []
    ids = [EventId(new_id()) for _ in announcements]
    events = [announcement.event for announcement in announcements]
    keys = [event.key for event in events]
    await connection.execute(
        _APPEND,
        {
            "topic": [event.TOPIC.value for event in events],
            "shard": [shard_of(key) for key in keys],
            "event_id": ids,
            "type": [event.TYPE for event in events],
            "source": [f"/leadpact/{source}"] * len(events),
            "key": keys,
            "occurred_at": [event.occurred_at for event in events],
            "causation_id": [announcement.caused_by for announcement in announcements],
            "data": [event.to_json() for event in events],
        },
    )
    return ids


_PRUNE = text(
    """
    WITH passed AS (
        -- How far the slowest reader of each (topic, shard) has come. A topic that nobody reads is kept for the retention alone.
        SELECT DISTINCT ON (topic, shard) topic, shard, xid, id
        FROM log_cursor ORDER BY topic, shard, xid, id
    )
    DELETE FROM outbox o
    USING (
        SELECT o.topic, o.shard, o.xid, o.id
        FROM outbox o JOIN passed p USING (topic, shard)
        WHERE (o.xid, o.id) <= (p.xid, p.id) AND o.logged_at < :logged_before
        LIMIT :limit
    ) old
    WHERE (o.topic, o.shard, o.xid, o.id) = (old.topic, old.shard, old.xid, old.id)
    """
)


async def prune(connection: AsyncConnection, *, logged_before: object, limit: int = 5_000) -> int:
    """Delete at most ``limit`` rows that every reader has passed and that are older than the retention."""
    result = await connection.execute(_PRUNE, {"logged_before": logged_before, "limit": limit})
    return result.rowcount


__all__ = ["SHARDS", "Announcement", "Topic", "announce", "prune", "shard_of"]

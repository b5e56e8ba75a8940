"""Append what a transaction announces to the log, and delete what every reader has passed.

The outbox table *is* the log. A row's place is ``(xid, id)``: the newest transaction that there was when the row was announced, then the
order inside. It has to be right in two ways at once:

* *Nothing is skipped.* Ids alone would not do: an id is taken at the insert but becomes visible at the commit, so a reader that remembers the
  highest id it saw skips a row whose transaction commits late. A reader therefore reads only rows whose ``xid`` lies below the oldest
  transaction still running (``pg_snapshot_xmin``). No row's ``xid`` is lower than its own transaction's, so below that line
  nothing can appear any more. A long write transaction anywhere in the database server thus delays readers and loses nothing.
* *One lead's events stand in the order of their commits.* The writer's own number alone would not do: a transaction gets it with its first
  write or lock, and may then wait for a lead that a younger transaction holds, and announce after it. The newest *ended* transaction at the
  time of the announcement (``pg_snapshot_xmax - 1``) counts whoever was waited for. Two equal ones are told apart by the id.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from leadpact.events.base import Event, Message, Topic
from leadpact.ids import EventId, new_id
from leadpact.storage.bulk import unnest
from leadpact.storage.tables import outbox

SHARDS = 16  # how many instances of one consumer group can work side by side


class Announcement(NamedTuple):
    """An event that waits for its transaction to commit, as its row of the log."""

    topic: str
    shard: int
    event_id: EventId
    type: str
    key: str
    occurred_at: datetime
    causation_id: EventId | None
    data: str

    @classmethod
    def of(cls, event: Event, caused_by: EventId | None) -> Announcement:
        """``event`` under an id of its own. It is written out here: of a batch's thousands, only the text is kept until the commit."""
        key = event.key
        return cls(
            event.TOPIC.value,
            shard_of(key),
            EventId(new_id()),
            event.TYPE,
            key,
            event.occurred_at,
            caused_by,
            event.to_json(),
        )


_COLUMNS = Announcement._fields
# WITH ORDINALITY would cost a sort; unnest returns rows in array order and the identity column numbers them in that order.
_APPEND = text(
    f"INSERT INTO outbox (source, {', '.join(_COLUMNS)}) "
    f"SELECT :source, topic, shard, event_id, type, key, occurred_at, causation_id, CAST(data AS json) "
    f"FROM {unnest(outbox, _COLUMNS)}"
)


def shard_of(key: str) -> int:
    """The shard of a key: the same in every process and every version, unlike Python's ``hash``."""
    return zlib.crc32(key.encode()) % SHARDS


async def announce(connection: AsyncConnection, source: str, announcements: Sequence[Announcement]) -> None:
    """Write the events to the log, in order, with one statement."""
    if announcements:
        await _append(connection, announcements, f"/leadpact/{source}")


async def announce_again(connection: AsyncConnection, message: Message) -> None:
    """Write a message to the end of the log once more, under the id that it has: who has applied it will know it."""
    again = Announcement(
        message.topic,
        shard_of(message.key),
        message.id,
        message.type,
        message.key,
        message.occurred_at,
        message.causation_id,
        message.data,
    )
    await _append(connection, [again], message.source)


async def _append(connection: AsyncConnection, rows: Sequence[Announcement], source: str) -> None:
    columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    await connection.execute(_APPEND, {"source": source, **columns})


# Each shard is read from its oldest row on, as far as the slowest reader has come: what is too young ends the look at once, so a run
# that finds nothing costs the same however long the log is. Dead letters live in their own table; where nobody reads
# their topic, the retention alone keeps what was said of them.
_PRUNE = text(
    """
    WITH passed AS (
        SELECT DISTINCT ON (topic, shard) topic, shard, xid, id
        FROM log_cursor ORDER BY topic, shard, xid, id
    ), unread AS (
        SELECT CAST(:dead_letter AS text) AS topic, shard, pg_snapshot_xmin(pg_current_snapshot()) AS xid, CAST(0 AS bigint) AS id
        FROM generate_series(0, :last_shard) AS shard
        WHERE NOT EXISTS (SELECT FROM log_cursor c WHERE c.topic = :dead_letter)
    )
    DELETE FROM outbox o
    USING (SELECT * FROM passed UNION ALL SELECT * FROM unread) p
    CROSS JOIN LATERAL (
        SELECT xid, id, logged_at FROM outbox
        WHERE topic = p.topic AND shard = p.shard AND (xid, id) <= (p.xid, p.id)
        ORDER BY xid, id LIMIT :per_shard
    ) old
    WHERE old.logged_at < :logged_before
      AND o.topic = p.topic AND o.shard = p.shard AND o.xid = old.xid AND o.id = old.id
    """
)


async def prune(connection: AsyncConnection, *, logged_before: datetime, per_shard: int = 100) -> int:
    """Delete at most ``per_shard`` rows of each (topic, shard) that every reader has passed and that are older than the retention."""
    result = await connection.execute(
        _PRUNE,
        {
            "logged_before": logged_before,
            "per_shard": per_shard,
            "dead_letter": Topic.DEAD_LETTER.value,
            "last_shard": SHARDS - 1,
        },
    )
    return result.rowcount


__all__ = ["SHARDS", "Announcement", "Topic", "announce", "announce_again", "prune", "shard_of"]

"""Read the log: every reader pages through each shard of its topics behind a cursor of its own, and never past the horizon.

A reader is a name: a consumer group, or the relay. Its cursors are rows of ``log_cursor``; what stands behind a cursor and below the
snapshot's horizon may be read (`outbox.py` says why the horizon). Moving a cursor belongs in the transaction of
what was done with the messages, or after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import text

from leadpact.events.base import Message
from leadpact.ids import EventId
from leadpact.storage.outbox import SHARDS
from leadpact.storage.unit_of_work import Transaction

RELAY = "relay"
"""The reader that publishes the log to Kafka; where PostgreSQL carries, there is none."""


class Cursor(NamedTuple):
    """A place in the log: in this shard of this topic, everything up to ``(xid, id)`` has been read."""

    topic: str
    shard: int
    xid: str
    id: int


class Entry(NamedTuple):
    """A message and its place."""

    place: Cursor
    message: Message


_REGISTER = text(
    """
    INSERT INTO log_cursor (consumer, topic, shard)
    SELECT :reader, topic, shard
    FROM unnest(CAST(:topics AS text[])) AS topic, generate_series(0, :last_shard) AS shard
    ON CONFLICT DO NOTHING
    """
)

_FORGET = text("DELETE FROM log_cursor WHERE consumer = :reader")

_BEHIND = """
    SELECT c.topic, c.shard, CAST(c.xid AS text) AS xid, c.id
    FROM log_cursor c
    WHERE c.consumer = :reader AND c.topic = ANY(CAST(:topics AS text[]))
      AND EXISTS (
        SELECT FROM outbox o
        WHERE o.topic = c.topic AND o.shard = c.shard AND (o.xid, o.id) > (c.xid, c.id)"""

# The closing condition is checked again on the locked row, so a cursor that another instance has just moved is read as moved.
# At random, because any fixed order would let the cursors that stand first keep the others waiting for as long as they have a backlog:
# no breach may wait until ten thousand new leads have been taken in.
_CLAIM = text(f"{_BEHIND}) ORDER BY random() LIMIT :shards FOR UPDATE OF c SKIP LOCKED")
_LOOK = text(f"{_BEHIND} AND o.xid < pg_snapshot_xmin(pg_current_snapshot()))")

_CURSORS = "unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(CAST(:xids AS text[]) AS xid8[]), CAST(:ids AS bigint[]))"

_READ = text(
    f"""
    SELECT m.*
    FROM {_CURSORS} AS c(topic, shard, xid, id)
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
    f"""
    UPDATE log_cursor c SET xid = n.xid, id = n.id
    FROM {_CURSORS} AS n(topic, shard, xid, id)
    WHERE c.consumer = :reader AND c.topic = n.topic AND c.shard = n.shard
    """
)


async def register(tx: Transaction, reader: str, topics: Sequence[str]) -> None:
    """Give ``reader`` its cursors at the beginning of the log; those that it has stay where they are."""
    await tx.execute(_REGISTER, {"reader": reader, "topics": list(topics), "last_shard": SHARDS - 1})


async def forget(tx: Transaction, reader: str) -> None:
    """Drop the cursors of a reader that reads here no longer: what it has not read would be kept for it for ever."""
    await tx.execute(_FORGET, {"reader": reader})


async def claim(tx: Transaction, reader: str, topics: Sequence[str], shards: int) -> list[Cursor]:
    """Lock at most ``shards`` cursors behind which something stands and that nobody else has locked, until ``tx`` ends.

    What stands there may still be above the horizon: ``read`` then finds nothing, but will shortly.
    """
    return _cursors(await tx.execute(_CLAIM, {"reader": reader, "topics": list(topics), "shards": shards}))


async def waiting(tx: Transaction, reader: str, topics: Sequence[str]) -> list[Cursor]:
    """Every cursor behind which something waits, without locking it: for a reader that is alone by other means."""
    return _cursors(await tx.execute(_LOOK, {"reader": reader, "topics": list(topics)}))


async def read(tx: Transaction, cursors: Sequence[Cursor], per_shard: int) -> list[Entry]:
    """What stands behind each of ``cursors``, at most ``per_shard`` each, every shard in its order."""
    found = await tx.execute(_READ, {**_arrays(cursors), "per_shard": per_shard})
    return [_entry(row) for row in found]


async def move(tx: Transaction, reader: str, passed: Iterable[Cursor]) -> None:
    """Move the cursors of ``reader`` to the last place of each shard in ``passed``."""
    last = {(place.topic, place.shard): place for place in passed}
    await tx.execute(_MOVE, {"reader": reader, **_arrays(list(last.values()))})


def _cursors(rows: Iterable[Any]) -> list[Cursor]:
    return [Cursor(row.topic, row.shard, row.xid, row.id) for row in rows]


def _arrays(cursors: Sequence[Cursor]) -> dict[str, list[Any]]:
    return {
        "topics": [cursor.topic for cursor in cursors],
        "shards": [cursor.shard for cursor in cursors],
        "xids": [cursor.xid for cursor in cursors],
        "ids": [cursor.id for cursor in cursors],
    }


def _entry(row: Any) -> Entry:
    topic, shard, xid, place_id, event_id, type_, source, key, occurred_at, causation_id, data = row
    message = Message(EventId(event_id), type_, source, topic, key, occurred_at, data, causation_id)
    return Entry(Cursor(topic, shard, xid, place_id), message)

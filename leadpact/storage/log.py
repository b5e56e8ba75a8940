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

_CURSORS = """
    SELECT c.topic, c.shard, c.xid, c.id
    FROM log_cursor c
    WHERE c.consumer = :reader AND c.topic = ANY(CAST(:topics AS text[]))"""

_BEHIND = "o.topic = c.topic AND o.shard = c.shard AND (o.xid, o.id) > (c.xid, c.id)"

_BELOW_THE_HORIZON = "o.xid < pg_snapshot_xmin(pg_current_snapshot())"

_ENTRIES = f"""
    SELECT o.topic, o.shard, o.xid, o.id, o.event_id, o.type, o.source, o.key, o.occurred_at, o.causation_id, CAST(o.data AS text) AS data
    FROM outbox o
    WHERE {_BEHIND} AND {_BELOW_THE_HORIZON}
    ORDER BY o.xid, o.id"""

_COLUMNS = "e.topic, e.shard, CAST(e.xid AS text) AS xid, e.id, e.event_id, e.type, e.source, e.key, e.occurred_at, e.causation_id, e.data"

# One statement, since a lead that comes alone waits for each. Whether anything stands behind a cursor is checked again on the locked
# row, so one that another instance has just moved is read as moved; the entries are those of the statement's snapshot, whose horizon is
# no younger.
# At random, because any fixed order would let the cursors that stand first keep the others waiting for as long as they have a backlog:
# no breach may wait until ten thousand new leads have been taken in.
_TAKE = text(
    f"""
    WITH claimed AS MATERIALIZED (
        {_CURSORS} AND EXISTS (SELECT FROM outbox o WHERE {_BEHIND})
        ORDER BY random() LIMIT :shards FOR UPDATE OF c SKIP LOCKED
    ), entry AS MATERIALIZED (
        SELECT m.* FROM claimed c CROSS JOIN LATERAL ({_ENTRIES} LIMIT :per_shard) m
    ), moved AS (
        UPDATE log_cursor c SET xid = n.xid, id = n.id
        FROM (SELECT DISTINCT ON (topic, shard) topic, shard, xid, id FROM entry ORDER BY topic, shard, xid DESC, id DESC) n
        WHERE c.consumer = :reader AND c.topic = n.topic AND c.shard = n.shard
    )
    SELECT {_COLUMNS} FROM claimed c LEFT JOIN entry e USING (topic, shard) ORDER BY e.topic, e.shard, e.xid, e.id
    """
)
_READ = text(
    f"""
    WITH waiting AS MATERIALIZED (
        {_CURSORS} AND EXISTS (SELECT FROM outbox o WHERE {_BEHIND} AND {_BELOW_THE_HORIZON})
    )
    SELECT {_COLUMNS}
    FROM waiting c CROSS JOIN LATERAL ({_ENTRIES} LIMIT greatest(1, :at_most / (SELECT count(*) FROM waiting))) e
    """
)

_MOVE = text(
    """
    UPDATE log_cursor c SET xid = n.xid, id = n.id
    FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(CAST(:xids AS text[]) AS xid8[]), CAST(:ids AS bigint[]))
         AS n(topic, shard, xid, id)
    WHERE c.consumer = :reader AND c.topic = n.topic AND c.shard = n.shard
    """
)


async def register(tx: Transaction, reader: str, topics: Sequence[str]) -> None:
    """Give ``reader`` its cursors at the beginning of the log; those that it has stay where they are."""
    await tx.execute(_REGISTER, {"reader": reader, "topics": list(topics), "last_shard": SHARDS - 1})


async def forget(tx: Transaction, reader: str) -> None:
    """Drop the cursors of a reader that reads here no longer: what it has not read would be kept for it for ever."""
    await tx.execute(_FORGET, {"reader": reader})


async def take(
    tx: Transaction, reader: str, topics: Sequence[str], *, shards: int, per_shard: int
) -> tuple[list[Entry], int]:
    """Entries behind at most ``shards`` cursors of ``reader``, at most ``per_shard`` each, every shard in its order.

    The cursors are moved past them, and stay locked until ``tx`` ends; those that somebody else has locked are passed over. The number beside
    the entries is that of the shards where something stands that is still above the horizon, and can be taken shortly.
    """
    asked = {"reader": reader, "topics": list(topics), "shards": shards, "per_shard": per_shard}
    rows = (await tx.execute(_TAKE, asked)).all()
    entries = [_entry(row) for row in rows if row.id is not None]
    return entries, len(rows) - len(entries)


async def read(tx: Transaction, reader: str, topics: Sequence[str], at_most: int) -> list[Entry]:
    """Some ``at_most`` entries from behind all cursors of ``reader``, every shard in its order.

    No cursor is locked or moved: for a reader that is alone by other means.
    """
    found = await tx.execute(_READ, {"reader": reader, "topics": list(topics), "at_most": at_most})
    return [_entry(row) for row in found]


async def move(tx: Transaction, reader: str, passed: Iterable[Cursor]) -> None:
    """Move the cursors of ``reader`` to the last place of each shard in ``passed``."""
    last = {(place.topic, place.shard): place for place in passed}
    places = list(last.values())
    await tx.execute(
        _MOVE,
        {
            "reader": reader,
            "topics": [place.topic for place in places],
            "shards": [place.shard for place in places],
            "xids": [place.xid for place in places],
            "ids": [place.id for place in places],
        },
    )


def _entry(row: Any) -> Entry:
    topic, shard, xid, place_id, event_id, type_, source, key, occurred_at, causation_id, data = row
    message = Message(EventId(event_id), type_, source, topic, key, occurred_at, data, causation_id)
    return Entry(Cursor(topic, shard, xid, place_id), message)

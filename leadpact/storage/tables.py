"""The tables of the log itself: what was announced, who has read how far, what was set aside.

Only ``leadpact.storage`` and ``leadpact.bus`` touch these. Every other table lives in the ``tables.py`` of its one writer.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

from leadpact.storage.metadata import XID8, metadata

# A row's place in the log (`outbox.py` says why): the newest transaction known when it was announced, which is the writer itself or, where
# others began later and have ended already, the last of those.
_NEWEST_TRANSACTION = (
    "greatest(pg_current_xact_id(), "
    "CAST(CAST(CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) - 1 AS text) AS xid8))"
)

outbox = Table(
    "outbox",
    metadata,
    Column("topic", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("xid", XID8, nullable=False, server_default=text(_NEWEST_TRANSACTION)),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("causation_id", Uuid),
    # json, not jsonb: the text is stored and later published exactly as it was announced.
    Column("data", JSON, nullable=False),
    Column("logged_at", DateTime(timezone=True), nullable=False, server_default=func.statement_timestamp()),
    # The one index: every reader pages through one (topic, shard) in (xid, id) order.
    PrimaryKeyConstraint("topic", "shard", "xid", "id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    # Without an index of its own, which every insert would have to write: `inbox.py` says how old rows are found.
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.statement_timestamp()),
    PrimaryKeyConstraint("consumer", "event_id"),
)

log_cursor = Table(
    "log_cursor",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("xid", XID8, nullable=False, server_default=text("'0'::xid8")),
    Column("id", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("consumer", "topic", "shard"),
    # Updated once a batch, for ever: room on the page keeps these updates off the index.
    postgresql_with={"fillfactor": "50"},
)

kafka_offset = Table(
    "kafka_offset",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("consumer", "topic", "partition"),
    postgresql_with={"fillfactor": "50"},
)

relay_lease = Table(
    "relay_lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("held_until", DateTime(timezone=True), nullable=False),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("event_id", Uuid),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
    Column("key", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("causation_id", Uuid),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("body", Text, nullable=False),  # base64 when it is not UTF-8: headers say so
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column(
        "set_aside_at", DateTime(timezone=True), nullable=False, server_default=func.statement_timestamp()
    ),
    Column("settled_at", DateTime(timezone=True)),
    Column("settled_as", Text),  # "replayed" or "discarded"
    Index("ix_dead_letter_waiting", "consumer", "id", postgresql_where=text("settled_at IS NULL")),
    # The inbox asks whether an id may come back before it forgets it.
    Index("ix_dead_letter_event", "event_id"),
)

__all__ = ["dead_letter", "inbox", "kafka_offset", "log_cursor", "outbox", "relay_lease"]

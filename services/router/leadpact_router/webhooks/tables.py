"""Where webhooks are kept: who wants to hear what, what is to be sent, and what came of each attempt. Written by this package alone."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from leadpact.storage.metadata import metadata

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("events", ARRAY(Text), nullable=False),  # as receivers know them: lead.assigned
    # Kept readable, since a signature is made from the secret itself; no API shows it again.
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_secret_until", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    Column("disabled_because", Text),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # since the last success
    Column("failing_since", DateTime(timezone=True)),
    Column("paused_until", DateTime(timezone=True)),
    Column("last_attempt_at", DateTime(timezone=True)),
    Column("last_outcome", Text),
)

# One body per event, whoever gets it: every endpoint is sent, and every retry repeats, the same bytes.
webhook_message = Table(
    "webhook_message",
    metadata,
    Column("event_id", Uuid, primary_key=True),  # the webhook-id
    Column("type", Text, nullable=False),
    Column("lead_id", Uuid),  # none: a test event
    Column("body", Text, nullable=False),
    Column("queued_at", DateTime(timezone=True), nullable=False, index=True),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), nullable=False),
    Column(
        "event_id",
        Uuid,
        ForeignKey("webhook_message.event_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("lead_id", Uuid),
    Column(
        "place", BigInteger, Identity(always=True), nullable=False
    ),  # the order of the log, for one lead and topic
    Column("state", Text, nullable=False, server_default="pending"),  # pending, delivered, dead
    Column(
        "attempts", Integer, nullable=False, server_default=text("0")
    ),  # begun since it was queued or replayed
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column(
        "leased_until", DateTime(timezone=True)
    ),  # by the database's clock: whoever calls now has until then
    Column(
        "lease_epoch", Integer, nullable=False, server_default=text("0")
    ),  # of every lease ever: the fence
    Column("is_replay", Boolean, nullable=False, server_default=text("false")),
    Column("outcome", Text),  # of the latest attempt, in words
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),  # delivered or dead
    UniqueConstraint("endpoint_id", "event_id"),  # a repeated event is queued once
    Index("ix_delivery_due", "endpoint_id", "next_at", "place", postgresql_where=text("state = 'pending'")),
    Index(
        "ix_delivery_lead_waiting",
        "endpoint_id",
        "lead_id",
        "place",
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_delivery_lead_id", "lead_id"),
    Index("ix_delivery_place", "place"),
    Index("ix_delivery_endpoint_place", "endpoint_id", "place"),
    Index("ix_delivery_dead", "endpoint_id", "place", postgresql_where=text("state = 'dead'")),
    postgresql_with={"fillfactor": "70"},
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("delivery_id", Uuid, ForeignKey("delivery.id", ondelete="CASCADE"), nullable=False),
    Column(
        "number", Integer, nullable=False
    ),  # the lease's epoch: a number that is missing was begun and never recorded
    Column("at", DateTime(timezone=True), nullable=False),
    Column("elapsed_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("fault", Text),
    Column("detail", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("is_replay", Boolean, nullable=False),
    PrimaryKeyConstraint("delivery_id", "number"),
)

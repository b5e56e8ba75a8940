"""The sla-timer's tables: what it knows of each assignment, and the clocks. Written by the sla-timer alone."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.storage.metadata import metadata

# One row per assignment, made by whatever is heard of it first: feedback may come before the assignment does. Of each kind of
# news the earliest is kept, with the time when we heard it.
sla_assignment = Table(
    "sla_assignment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("cycle_id", Uuid),  # the first assignment in this chain of reassignments; none until assigned
    Column("assigned_at", DateTime(timezone=True)),
    Column("contacted_at", DateTime(timezone=True)),
    Column("contact_recorded_at", DateTime(timezone=True)),
    Column("accepted_at", DateTime(timezone=True)),
    Column("accept_recorded_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("end_recorded_at", DateTime(timezone=True)),
    Column("ended_because", Text),
)

sla_clock = Table(
    "sla_clock",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("assignment_id", Uuid, nullable=False),
    Column("policy", Text, nullable=False),  # the promise's name in the pact
    Column("pact_version", Integer, nullable=False),  # a running clock keeps the version it started under
    Column("rep_id", Text, nullable=False),
    Column("rep_name", Text, nullable=False),
    Column("rep_timezone", Text, nullable=False),
    Column("hop", Integer, nullable=False),
    Column("target", Text, nullable=False),  # the pact's words
    Column("target_seconds", BigInteger, nullable=False),
    Column("calendar", Text, nullable=False),  # a calendar of the pact, read in `timezone`
    Column("timezone", Text, nullable=False),
    Column("stops", JSONB, nullable=False),
    Column("warnings", JSONB, nullable=False),  # [[percent, at], ...] in order
    Column("reassign_at_most", Integer),
    Column("escalate_to", Text),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),  # running, met, breached, cancelled
    Column("next_at", DateTime(timezone=True)),  # when the next warning, or the end, is due
    Column("warned_percent", Integer),
    Column(
        "breached_at", DateTime(timezone=True)
    ),  # when the breach was announced; kept if late news voids it
    Column("met_at", DateTime(timezone=True)),  # of a breached clock: when it was done after all
    Column("met_by", Text),  # "contacted" or "accepted"
    Column("ended_at", DateTime(timezone=True)),  # of a cancelled clock
    Column("ended_because", Text),
    Column("recorded_at", DateTime(timezone=True)),  # when we heard of what ended it
    Column("elapsed_seconds", Double),  # wall time from the start to what ended it
    Column("business_seconds", Double),  # of these, what counts for the target
    # A promise runs at most once for an assignment.
    UniqueConstraint("assignment_id", "policy"),
    CheckConstraint("state IN ('running', 'met', 'breached', 'cancelled')", name="state"),
    # No clock runs without a moment at which it fires, and none fires that does not run.
    CheckConstraint("(state = 'running') = (next_at IS NOT NULL)", name="fires_while_running"),
    # The sweep's range scan: small however many clocks have ever run.
    Index("ix_sla_clock_next", "next_at", postgresql_where=text("state = 'running'")),
    Index("ix_sla_clock_state_due", "state", "due_at", "id"),
    Index("ix_sla_clock_rep_due", "rep_id", "due_at", "id"),
)

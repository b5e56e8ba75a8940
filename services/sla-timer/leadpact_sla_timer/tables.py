"""The sla-timer's tables: what it knows of each request and assignment, and the clocks. Written by the sla-timer alone."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.storage.metadata import metadata

# One row per assignment, made by whatever is heard of it first: feedback may come before the assignment does. Of each kind of
# news the earliest is kept, with the time when we heard it: [what, at, recorded_at].
sla_assignment = Table(
    "sla_assignment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("request_id", Uuid),  # none until assigned, as are the following
    Column("cycle_id", Uuid),  # the first assignment in this chain of reassignments
    Column("rep_id", Text),
    Column("rep_timezone", Text),
    Column("rep_calendar", Text),
    Column("assigned_at", DateTime(timezone=True)),
    Column("owner_number", Integer),  # over all requests of the lead
    Column("done", JSONB, nullable=False, server_default=text("'{}'::jsonb")),  # by the words of `stops`
    Column("attempts", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # `what` is the channel
    # [[at, until, state], ...] as announced; a resumption is one that ends as it begins.
    Column("pauses", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("ended", JSONB),
)

# One row per request: one time that a person asked, until sales is done with it. It is measured from all three sides, promised or
# not, up to the first contact or booked meeting; business time is the pool's for the customer and the team, the owner's for the owner.
sla_request = Table(
    "sla_request",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("qualified_at", DateTime(timezone=True), nullable=False),
    Column("assigned_at", DateTime(timezone=True)),  # when its first owner was found
    Column("pact_version", Integer, nullable=False),
    Column("pool_calendar", Text, nullable=False),
    Column("released_at", DateTime(timezone=True)),  # came in bulk: its clocks start at its turn
    Column("closed", JSONB),
    Column("touched_at", DateTime(timezone=True)),
    Column("touched_by", Text),
    Column("customer_seconds", Double),  # wall time since it was received
    Column("customer_business_seconds", Double),
    Column("team_seconds", Double),  # since it was qualified
    Column("team_business_seconds", Double),
    Column("owner_seconds", Double),  # since whoever touched it had been given it
    Column("owner_business_seconds", Double),
    # The turns of one queue.
    Index(
        "ix_sla_request_turn",
        "source",
        "pool_calendar",
        "released_at",
        postgresql_where=text("released_at IS NOT NULL"),
    ),
)

# The absences that lie ahead of a rep, as last announced. Kept for reps whose clocks mind them.
sla_rep = Table(
    "sla_rep",
    metadata,
    Column("rep_id", Text, primary_key=True),
    Column("away", JSONB, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),  # the router's count of changes
    Column("as_of", DateTime(timezone=True), nullable=False),
)

# Where the queue of a source's clocks ends: the last turn that was given, by the hours in which turns are given.
sla_release = Table(
    "sla_release",
    metadata,
    Column("source", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("last_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("source", "calendar"),
)

# Written out, because the planner takes a partial index only for a predicate that it can read.
IS_OPEN = text("state IN ('waiting', 'running', 'paused')")

sla_clock = Table(
    "sla_clock",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("subject_id", Uuid, nullable=False),  # the assignment of an owner's clock, else the request
    Column("request_id", Uuid),
    Column("assignment_id", Uuid),  # of an owner's clock
    Column("whose", Text, nullable=False),  # owner, team, customer
    Column("kind", Text, nullable=False),  # of the promise: first_touch, attempts, decide
    Column("policy", Text, nullable=False),  # the promise's name in the pact
    Column("pact_version", Integer, nullable=False),  # a running clock keeps the version it started under
    Column("rep_id", Text),  # of an owner's clock, as is what follows
    Column("rep_name", Text),
    Column("rep_timezone", Text),
    Column("rep_calendar", Text),
    Column("pool_calendar", Text),
    Column("lead_timezone", Text),
    Column("hop", Integer, nullable=False),
    Column("target", Text, nullable=False),  # the pact's words
    Column("target_seconds", BigInteger, nullable=False),
    Column("calendar", Text, nullable=False),  # a calendar of the pact, read in `timezone`
    Column("timezone", Text, nullable=False),
    Column("shared_calendar", Text),  # and must be open as well
    Column("shared_timezone", Text),
    Column("warnings", JSONB, nullable=False),  # [[percent, at, left], ...] in order
    Column("reassign_at_most", Integer),
    Column("escalate_to", Text),
    Column("take_offline", Boolean, nullable=False),
    Column("give_back", Boolean, nullable=False),
    Column("released_at_pace", Boolean, nullable=False),  # came in bulk: reported apart
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),  # waiting, running, paused, met, breached, cancelled
    Column("next_at", DateTime(timezone=True)),  # when the start, the next warning, or the end, is due
    Column(
        "pauses", JSONB, nullable=False, server_default=text("'[]'::jsonb")
    ),  # [[at, until, because], ...]
    Column("leaves_at", DateTime(timezone=True)),  # when the owner's absence takes the lead away
    Column("away_until", DateTime(timezone=True)),
    Column("warned_percent", Double),  # of the last warning given, exact
    Column(
        "breached_at", DateTime(timezone=True)
    ),  # when the breach was announced; kept if late news voids it
    Column("met_at", DateTime(timezone=True)),  # of a breached clock: when it was done after all
    Column("met_by", Text),  # in words: "contacted", "meeting booked", "rejected: no_budget", "5 attempts"
    Column("ended_at", DateTime(timezone=True)),  # of a cancelled clock
    Column("ended_because", Text),
    Column("recorded_at", DateTime(timezone=True)),  # when we heard of what ended it
    Column("elapsed_seconds", Double),  # wall time from the start to what ended it
    Column("business_seconds", Double),  # of these, what counts for the target
    # A promise runs at most once for whatever it is about.
    UniqueConstraint("subject_id", "policy"),
    CheckConstraint(
        "state IN ('waiting', 'running', 'paused', 'met', 'breached', 'cancelled')", name="state"
    ),
    # No clock waits or runs without a moment at which it fires, and no other has one.
    CheckConstraint("(state IN ('waiting', 'running')) = (next_at IS NOT NULL)", name="fires_while_running"),
    CheckConstraint("(whose = 'owner') = (assignment_id IS NOT NULL AND rep_id IS NOT NULL)", name="whose"),
    # The sweep's range scan: small however many clocks have ever run.
    Index("ix_sla_clock_next", "next_at", "id", postgresql_where=text("next_at IS NOT NULL")),
    Index("ix_sla_clock_state_due", "state", "due_at", "id"),
    Index("ix_sla_clock_rep_due", "rep_id", "due_at", "id"),
    # What may still change, to be moved to another pact or by an absence; however many have ended.
    Index("ix_sla_clock_open", "id", postgresql_where=IS_OPEN),
    Index("ix_sla_clock_open_rep", "rep_id", postgresql_where=IS_OPEN),
)

# Every clock that was moved to another version of the pact, as it was and as it became.
sla_clock_move = Table(
    "sla_clock_move",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("clock_id", Uuid, ForeignKey("sla_clock.id"), nullable=False, index=True),
    Column("moved_at", DateTime(timezone=True), nullable=False),
    Column("moved_by", Text, nullable=False),
    Column("pact_version_before", Integer, nullable=False),
    Column("pact_version", Integer, nullable=False),
    Column("due_before", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("target_before", Text, nullable=False),
    Column("target", Text, nullable=False),
)

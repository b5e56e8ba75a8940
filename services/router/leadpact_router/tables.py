"""The router's tables: who the leads are, who may work them, who does. Written by the router alone."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.storage.metadata import metadata

# ---- people and accounts -----------------------------------------------------------------------------------------------------

person = Table(
    "person",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
)

# "One person per address" is this primary key: of two transactions that meet a new address at once, one
# inserts, the other finds.
identity = Table(
    "identity",
    metadata,
    Column("kind", Text, nullable=False),  # "email" or "phone"
    Column("value", Text, nullable=False),
    # Deferred, so that an address is claimed before its person is made: who loses the race has made nobody.
    Column(
        "person_id",
        Uuid,
        ForeignKey("person.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
        index=True,
    ),
    PrimaryKeyConstraint("kind", "value"),
)

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", Text, nullable=False, unique=True),  # registrable domain; free-mail domains are refused
    Column("country", Text),
    Column("employees", Integer),
    Column("industry", Text),
    Column("tier", Text),
    Column("owner", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# ---- leads -------------------------------------------------------------------------------------------------------------------

lead = Table(
    "lead",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, ForeignKey("person.id"), nullable=False, unique=True),
    # new, mql, assigned, held, accepted, contacted, recycled, nurtured, disqualified, closed
    Column("stage", Text, nullable=False),
    # Of the touch that the present request began with; the customer's wait counts from there. Until sales has the lead: of the latest touch.
    Column("source", Text, nullable=False),
    Column("source_kind", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("touched_at", DateTime(timezone=True), nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("full_name", Text),
    Column("company", Text),
    Column("country", Text),
    Column("draft", JSONB, nullable=False),  # the canonical lead, united over its touches
    Column("account_id", Uuid, ForeignKey("account.id")),
    Column("score", Double, nullable=False, server_default=text("0")),
    Column("fit", Double, nullable=False, server_default=text("0")),
    Column("engagement", Double, nullable=False, server_default=text("0")),
    Column("band", Text),
    Column("contributions", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("qualified_at", DateTime(timezone=True)),
    Column("qualified_because", Text),
    Column("unqualified_because", Text),  # why it is no MQL yet: shown, never guessed
    Column("owner", Text),
    Column("assignment_id", Uuid),
    Column("owner_count", Integer, nullable=False, server_default=text("0")),  # over all rounds
    Column("hop", Integer, nullable=False, server_default=text("0")),
    # How many owners of this round lost it by a missed promise: what the pact's number of reassignments limits.
    Column("hops_by_breach", Integer, nullable=False, server_default=text("0")),
    Column("held_since", DateTime(timezone=True)),
    Column("held_reason", Text),
    Column("held_pool", Text),
    Column("held_cause_id", Uuid),  # the event that asked for the assignment which is still owed
    Column("escalated_to", Text),
    Column("escalated_at", DateTime(timezone=True)),
    # Recycled, nurtured, disqualified or closed: who asks again later makes a new request.
    Column("closed_at", DateTime(timezone=True)),
    Index("ix_lead_stage_id", "stage", "id"),
    Index("ix_lead_owner_id", "owner", "id"),
    Index("ix_lead_source_id", "source", "id"),
    # The board shows the latest of either kind.
    Index("ix_lead_qualified_at", "qualified_at", postgresql_where=text("qualified_at IS NOT NULL")),
    Index("ix_lead_unqualified", "touched_at", postgresql_where=text("qualified_at IS NULL")),
    Index("ix_lead_escalated", "escalated_at", postgresql_where=text("escalated_at IS NOT NULL")),
    # The lines of those who wait: each pool has one for leads that nobody had yet, and one for those that lost an owner.
    Index(
        "ix_lead_held",
        "held_pool",
        text("(hop > 0)"),
        "held_since",
        "id",
        postgresql_where=text("held_since IS NOT NULL"),
    ),
)

touch = Table(
    "touch",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("source_kind", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("matched_by", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("draft", JSONB, nullable=False),
    Column("upload_id", Uuid),
    Column("row", Integer),
)

activity = Table(
    "activity",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

# Engagement decays; one row per (lead, kind) is all the state there is, however long the history. `strength`
# counts how often it happened, each time halved per half-life up to `as_of`; points are multiplied in when
# scoring, so that editing them needs no rewrite.
signal = Table(
    "signal",
    metadata,
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("strength", Double, nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("times", Integer, nullable=False),
    PrimaryKeyConstraint("lead_id", "kind"),
)

# ---- reps --------------------------------------------------------------------------------------------------------------------

rep = Table(
    "rep",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),  # in small letters: the pact may name a rep by it
    Column("timezone", Text, nullable=False),
    Column("calendar", Text),  # a calendar of the pact; none: the pool's calendar in the rep's own zone
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("open_limit", Integer),
    Column("daily_limit", Integer),
    # Missed a promise and is given nothing until they return (`offline.py`); a list of reps never changes it.
    Column("offline_since", DateTime(timezone=True)),
    Column("offline_because", Text),
    Column(
        "absences_revision", BigInteger, nullable=False, server_default=text("0")
    ),  # grows with each change
    Column("updated_at", DateTime(timezone=True), nullable=False),
    # Checked at the end of a statement, so that two reps of one list may swap their addresses.
    UniqueConstraint("email", deferrable=True, initially="IMMEDIATE"),
)

absence = Table(
    "absence",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("rep_id", Text, ForeignKey("rep.id"), nullable=False, index=True),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
)

# ---- assignments -------------------------------------------------------------------------------------------------------------

assignment = Table(
    "assignment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False),
    Column("rep_id", Text, ForeignKey("rep.id"), nullable=False),
    Column("pool", Text),
    Column("rule", Text, nullable=False),
    Column("number", Integer, nullable=False),  # which of all that the lead has had, whatever the clock said
    Column("hop", Integer, nullable=False),
    Column("cause_id", Uuid, nullable=False),  # the event (or command) that asked for it
    Column("assigned_at", DateTime(timezone=True), nullable=False),
    Column("explanation", JSONB, nullable=False),
    Column("pact_version", Integer, nullable=False),
    Column("accepted_at", DateTime(timezone=True)),
    Column("contacted_at", DateTime(timezone=True)),
    Column("contact_channel", Text),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_as", Text),  # rejected, reassigned, renewed, closed
    # For a renewed one: the assignment of the same rep as which it goes on. What is done from then on is done for that one.
    Column("renewed_as", Uuid),
    Column("renewed_from", DateTime(timezone=True)),
    Column("rejection", JSONB),
    # One of the pact's pause states. It is the ownership's, so that it ends with it.
    Column("paused_state", Text),
    Column("paused_since", DateTime(timezone=True)),
    Column("paused_until", DateTime(timezone=True)),
    UniqueConstraint("lead_id", "cause_id"),  # never assigned twice for one cause
    # Never two owners at a time.
    Index("uq_assignment_open", "lead_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("ix_assignment_rep_open", "rep_id", postgresql_where=text("ended_at IS NULL")),
    Index("ix_assignment_lead_id", "lead_id", "assigned_at"),
)

# One row for each time that a lead began to wait for an owner, or for those of another pool, and why: as it was then, and, once a look
# has found it otherwise, as of that look. The open one of a held lead is its last: the ids are in the order of the lead's lock, whatever
# the clock said.
hold = Table(
    "hold",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False),
    Column("held_at", DateTime(timezone=True), nullable=False),
    Column("pool", Text),  # none: it began before this was on record
    Column("explanation", JSONB, nullable=False),
    Column("pact_version", Integer, nullable=False),
    Column("latest_explanation", JSONB),  # none: the same as at the beginning
    Column("latest_pact_version", Integer),
    Column("latest_at", DateTime(timezone=True)),
    Index("ix_hold_lead_id", "lead_id", "id"),
)

# What else sales and the CRM reported, beside the acceptance, the contact and the end that an assignment has one of.
work_report = Table(
    "work_report",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, ForeignKey("lead.id"), nullable=False, index=True),
    Column("assignment_id", Uuid, ForeignKey("assignment.id")),  # none: closed while nobody had it
    Column("kind", Text, nullable=False),  # attempted, meeting_booked, paused, resumed, closed
    Column("channel", Text),  # of an attempt
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # The same attempt, reported twice, is one.
    Index(
        "uq_work_report_attempt",
        "assignment_id",
        "channel",
        "occurred_at",
        unique=True,
        postgresql_where=text("kind = 'attempted'"),
    ),
    # Of several meetings the one that was agreed first stands.
    Index(
        "uq_work_report_meeting",
        "assignment_id",
        unique=True,
        postgresql_where=text("kind = 'meeting_booked'"),
    ),
)

# Whose turn it is. `served` is weighted: one assignment adds 1/weight (`strategies/weighted_turns.py`).
turn = Table(
    "turn",
    metadata,
    Column("pool", Text, nullable=False),
    Column("rep_id", Text, nullable=False),
    Column("served", Double, nullable=False),
    Column("assigned", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("pool", "rep_id"),
    postgresql_with={"fillfactor": "50"},
)

# Counters for the limits, equal to a recount of `assignment` at every commit: `open` are the leads that wait
# for their first touch (neither ended nor contacted), `today` those given on `day`, whatever became of them.
rep_load = Table(
    "rep_load",
    metadata,
    Column("rep_id", Text, primary_key=True),
    Column("open", Integer, nullable=False, server_default=text("0")),
    Column("day", Date, nullable=False),  # the rep's own day that `today` counts
    Column("today", Integer, nullable=False, server_default=text("0")),
    postgresql_with={"fillfactor": "50"},
)

# ---- what the sla-timer said, as the router heard it ---------------------------------------------------------------------------

clock_view = Table(
    "clock_view",
    metadata,
    Column("clock_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False, index=True),
    Column("whose", Text, nullable=False, server_default="owner"),  # owner, team, customer
    Column("assignment_id", Uuid),  # none: the team's or the customer's, whoever has the lead
    Column("policy", Text, nullable=False),
    Column("rep_id", Text),
    Column("state", Text, nullable=False),  # running, warned, paused, met, breached, cancelled
    Column("paused_because", Text),  # of a paused clock: the state that the lead is in
    Column("target", Text, nullable=False, server_default=""),
    Column("started_at", DateTime(timezone=True)),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("warned_at", DateTime(timezone=True)),  # the first warning
    Column("warned_percent", Integer),  # of the latest warning
    Column("ended_at", DateTime(timezone=True)),
    Column("was_breached", Boolean, nullable=False, server_default=text("false")),
    Index("ix_clock_view_breached_due", "due_at", postgresql_where=text("was_breached")),
    Index("ix_clock_view_running_due", "due_at", postgresql_where=text("state IN ('running', 'warned')")),
    Index("ix_clock_view_paused_due", "due_at", postgresql_where=text("state = 'paused'")),
)

# Each warning of a clock, under the id of the event that told it: told again, it is the same one.
clock_warning = Table(
    "clock_warning",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("clock_id", Uuid, nullable=False),
    Column("warned_at", DateTime(timezone=True), nullable=False),
    Column(
        "percent", Integer
    ),  # of the time used; none: heard of before each was kept, and which of them it was is not known
    Column("left", Text),  # the pact's words, if it says how much time is left
    Index("ix_clock_warning_clock_id", "clock_id", "warned_at"),
)

idempotent_answer = Table(
    "idempotent_answer",
    metadata,
    Column("key", Text, primary_key=True),  # route and Idempotency-Key
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSONB, nullable=False),
    Column(
        "at", DateTime(timezone=True), nullable=False, server_default=func.statement_timestamp(), index=True
    ),
)

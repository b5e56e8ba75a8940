"""Ingest's tables: what came in, what it was promised, and how far it got. Written by ingest alone."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSON

from leadpact.storage.metadata import metadata

# ---- posts -------------------------------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    # A post's is made at the door; a row's is derived from its file and row number, so that it can never be taken in twice.
    Column("id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("upload_id", Uuid),
    Column("row", Integer),
    Column("lead_id", Uuid),  # once the router has said whose it is
    Column(
        "dead_letter_id", Uuid
    ),  # its message could not be applied; a lead may follow when that is replayed
    CheckConstraint("status IN ('accepted', 'honeypot')", name="status"),
    # Rows of a file that the router has not reached yet: uploads are paced by their number.
    Index(
        "ix_receipt_upload_in_flight",
        "upload_id",
        postgresql_where=text("upload_id IS NOT NULL AND lead_id IS NULL"),
    ),
    # What has no outcome yet: counted every few seconds, so the count must not grow with the table.
    Index(
        "ix_receipt_in_flight",
        "received_at",
        postgresql_where=text("status = 'accepted' AND lead_id IS NULL AND dead_letter_id IS NULL"),
    ),
    Index("ix_receipt_trapped", "received_at", postgresql_where=text("status = 'honeypot'")),
    postgresql_with={"fillfactor": "85"},  # lead_id is filled in a moment later, on the same page
)

# Beside the receipt, not in it: it is written once, and receipts are updated.
raw_post = Table(
    "raw_post",
    metadata,
    Column("receipt_id", Uuid, ForeignKey("receipt.id", ondelete="CASCADE"), primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # byte for byte as it was sent
)

# "One lead for one submission" is this primary key: of a hundred posts with one claim, one inserts and the others find it taken.
post_claim = Table(
    "post_claim",
    metadata,
    Column("source", Text, nullable=False),
    Column(
        "claim", Text, nullable=False
    ),  # "key …" for an Idempotency-Key, "content …" for the same person and answers
    Column("receipt_id", Uuid, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
    Column("held_until", DateTime(timezone=True), nullable=False, index=True),
    PrimaryKeyConstraint("source", "claim"),
)

# ---- what became of them -----------------------------------------------------------------------------------------------------

lead_progress = Table(
    "lead_progress",
    metadata,
    Column("lead_id", Uuid, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("owner", Text),
    Column(
        "assignment_id", Uuid
    ),  # what made them the owner: a report that names another is a former owner's
    Column("changed_at", DateTime(timezone=True), nullable=False),
    postgresql_with={"fillfactor": "70"},
)

# ---- uploads -----------------------------------------------------------------------------------------------------------------

upload = Table(
    "upload",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("encoding", Text),  # as the sender declared it; none lets the file speak for itself
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("uploaded_by", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    # received: stored, not yet read to its end; processing: found readable, rows are taken in.
    Column("status", Text, nullable=False),
    # When the pact promises the file, and how late it came; none for a source without a promise.
    Column("due_at", DateTime(timezone=True)),
    Column("late_by_business_seconds", BigInteger),
    Column("columns", JSON, nullable=False),  # as they stand in the file
    Column("notes", JSON, nullable=False),  # sentences on how it was read
    # Known once it was read to its end; lines outside of the table (blanks, totals) are skipped.
    Column("rows", Integer),
    Column("skipped", Integer),
    # Every row up to this one is settled. It moves in the transaction that settles them.
    Column("last_row", Integer, nullable=False, server_default=text("0")),
    Column("accepted", Integer, nullable=False, server_default=text("0")),
    Column("duplicates", Integer, nullable=False, server_default=text("0")),
    Column("rejected", Integer, nullable=False, server_default=text("0")),
    Column("refused_because", Text),
    Column("refused_fix", Text),
    Column("leased_until", DateTime(timezone=True)),  # an instance is at work on it
    Column("completed_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('received', 'processing', 'completed', 'refused')", name="status"),
    # A file is taken once for a source, also when two people upload it at the same moment.
    UniqueConstraint("source", "sha256"),
    Index(
        "ix_upload_unfinished", "received_at", postgresql_where=text("status IN ('received', 'processing')")
    ),
)

# The file itself, in pieces: neither writing nor reading it needs it whole in memory.
upload_piece = Table(
    "upload_piece",
    metadata,
    Column("upload_id", Uuid, ForeignKey("upload.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("upload_id", "number"),
)

upload_reject = Table(
    "upload_reject",
    metadata,
    Column("upload_id", Uuid, ForeignKey("upload.id", ondelete="CASCADE"), nullable=False),
    Column("row", Integer, nullable=False),
    # json, not jsonb: what is wrong with a row may be a NUL, which jsonb cannot hold.
    Column("cells", JSON, nullable=False),
    Column("problems", JSON, nullable=False),  # field, message and fix of each
    PrimaryKeyConstraint("upload_id", "row"),
)

cap_use = Table(
    "cap_use",
    metadata,
    Column("source", Text, nullable=False),
    Column("period_start", Date, nullable=False),
    Column("used", Integer, nullable=False),
    PrimaryKeyConstraint("source", "period_start"),
)

# ---- the form door -----------------------------------------------------------------------------------------------------------

# In the open: these keys stand in web pages. All they can do is post to their source.
form_key = Table(
    "form_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)

"""Where applied pacts are kept: every version, unchanged, for ever. Written only by `leadpact.pact.book`."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, Table, Text, func

from leadpact.storage.metadata import metadata

pact_version = Table(
    "pact_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.statement_timestamp()),
    Column("applied_by", Text, nullable=False),
)

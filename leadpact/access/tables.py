"""Who may call: tokens and signed-in browsers. Only hashes of secrets are stored. Written by `leadpact.access` alone."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from leadpact.storage.metadata import metadata

access_token = Table(
    "access_token",
    metadata,
    Column("id", Text, primary_key=True),  # the public part of the token
    Column("name", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
)

browser_session = Table(
    "browser_session",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("token_id", Text, ForeignKey("access_token.id"), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

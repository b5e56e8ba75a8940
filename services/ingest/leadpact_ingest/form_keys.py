"""Keep the public keys of forms: they stand in web pages for all to read, and can do nothing but post to one source.

A source that never had a key takes posts without one. From its first key on it takes posts with a key only, and
revoking the last key closes the form rather than opening it to everybody.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import text

from leadpact.errors import NotFound
from leadpact.storage.unit_of_work import Transaction

PREFIX = "lp_form_"


class FormKey(BaseModel):
    """A key, the source that it posts to, and whether it is still in use."""

    key: str
    source: str
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = None


async def make_key(tx: Transaction, source: str, now: datetime) -> FormKey:
    """A new key for ``source``, beside those that it has."""
    made = FormKey(key=PREFIX + secrets.token_urlsafe(18), source=source, created_at=now)
    await tx.execute(
        text("INSERT INTO form_key (key, source, created_at) VALUES (:key, :source, :created_at)"),
        made.model_dump(exclude={"revoked_at"}),
    )
    return made


async def revoke_key(tx: Transaction, key: str, now: datetime) -> FormKey:
    """Put a key out of use; one that already is stays as it was. Raises ``NotFound``."""
    revoke = """
        UPDATE form_key SET revoked_at = coalesce(revoked_at, :now) WHERE key = :key
        RETURNING key, source, created_at, revoked_at"""
    row = (await tx.execute(text(revoke), {"key": key, "now": now})).mappings().first()
    if row is None:
        raise NotFound("There is no such form key.")
    return FormKey.model_validate(dict(row))


async def all_keys(tx: Transaction) -> list[FormKey]:
    """Every key, those out of use too, by source and age."""
    rows = await tx.execute(
        text("SELECT key, source, created_at, revoked_at FROM form_key ORDER BY source, created_at, key")
    )
    return [FormKey.model_validate(dict(row)) for row in rows.mappings()]


async def live_keys(tx: Transaction) -> Mapping[str, frozenset[str]]:
    """The keys in use of each source that ever had one."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for key in await all_keys(tx):
        keys[key.source] |= {key.key} if key.revoked_at is None else set()
    return {source: frozenset(live) for source, live in keys.items()}

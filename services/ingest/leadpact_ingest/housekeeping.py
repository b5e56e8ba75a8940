"""Forget what has served its time: claims that nobody holds any more, and what robots sent a month ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from leadpact.storage.housekeeping import is_our_turn
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.idempotency import forget_expired_claims

TRAPPED_KEPT_FOR = timedelta(days=30)
"""Long enough for somebody to ask where their message went."""

_BATCH = 5_000


async def clean_once(tx: Transaction, now: datetime, *, limit: int = _BATCH) -> bool:
    """Delete one bounded batch of each kind. True if more is waiting. Of several processes one does it at a time."""
    if not await is_our_turn(tx, "ingest"):
        return False
    claims = await forget_expired_claims(tx, now, limit=limit)
    trapped = await tx.execute(_FORGET_TRAPPED, {"before": now - TRAPPED_KEPT_FOR, "limit": limit})
    return max(claims, trapped.rowcount) == limit


_FORGET_TRAPPED = text(
    """
    DELETE FROM receipt WHERE id IN (
        SELECT id FROM receipt WHERE status = 'honeypot' AND received_at < :before LIMIT :limit)
    """
)

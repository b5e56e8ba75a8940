"""Forget what has served its time: answers to repeated commands after a day, webhooks and what came of them after a month."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from leadpact.storage.housekeeping import is_our_turn
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.endpoints.repeats import forget_answers

WEBHOOKS_KEPT_FOR = timedelta(days=30)
"""Ten times as long as a delivery is tried. What an endpoint has not taken by then, as it was off, it will not get."""

_BATCH = 5_000

# Their deliveries and attempts go with them.
_FORGET_WEBHOOKS = text(
    """
    DELETE FROM webhook_message WHERE event_id IN (
        SELECT event_id FROM webhook_message WHERE queued_at < :before ORDER BY queued_at LIMIT :limit)
    """
)


async def clean_once(tx: Transaction, now: datetime, *, limit: int = _BATCH) -> bool:
    """Delete one bounded batch of each kind. True if more is waiting. Of several processes one does it at a time."""
    if not await is_our_turn(tx, "router"):
        return False
    answers = await forget_answers(tx, limit=limit)
    webhooks = await tx.execute(_FORGET_WEBHOOKS, {"before": now - WEBHOOKS_KEPT_FOR, "limit": limit})
    return max(answers, webhooks.rowcount) == limit

"""Forget what has served its time: claims that nobody holds any more, and what robots sent a month ago."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text

from leadpact.clock import Clock, wait_for
from leadpact.errors import Transient
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_ingest.idempotency import forget_expired_claims

log = structlog.get_logger(__name__)

TRAPPED_KEPT_FOR = timedelta(days=30)
"""Long enough for somebody to ask where their message went."""

_EVERY_SECONDS = 60.0
_BATCH = 5_000


async def clean_once(tx: Transaction, now: datetime, *, limit: int = _BATCH) -> bool:
    """Delete one bounded batch of each kind. True if more is waiting."""
    claims = await forget_expired_claims(tx, now, limit=limit)
    trapped = await tx.execute(_FORGET_TRAPPED, {"before": now - TRAPPED_KEPT_FOR, "limit": limit})
    return max(claims, trapped.rowcount) == limit


async def keep_house(uow: UnitOfWork, clock: Clock, stop: asyncio.Event) -> None:
    """Clean every minute until ``stop``."""
    while not stop.is_set():
        more = False
        try:
            async with uow.transaction() as tx:
                more = await clean_once(tx, clock.now())
        except Transient as error:
            log.warning("ingest.housekeeping_waits", reason=str(error))
        if not more:
            await wait_for(stop, _EVERY_SECONDS)


_FORGET_TRAPPED = text(
    """
    DELETE FROM receipt WHERE id IN (
        SELECT id FROM receipt WHERE status = 'honeypot' AND received_at < :before LIMIT :limit)
    """
)

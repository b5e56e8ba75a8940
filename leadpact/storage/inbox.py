"""Apply each event at most once per consumer, whatever the carrier delivers twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from leadpact.ids import EventId

if TYPE_CHECKING:
    from leadpact.storage.unit_of_work import Transaction

_RECORD = text(
    """
    INSERT INTO inbox (consumer, event_id)
    SELECT CAST(:consumer AS text), event_id FROM unnest(CAST(:event_ids AS uuid[])) AS e(event_id)
    ON CONFLICT DO NOTHING RETURNING event_id
    """
)
_PRUNE = text(
    """
    DELETE FROM inbox WHERE (consumer, event_id) IN (
        SELECT consumer, event_id FROM inbox WHERE consumer = :consumer AND event_id < :before
        ORDER BY event_id LIMIT :limit)
    """
)


async def record_new(tx: Transaction, consumer: str, event_ids: Sequence[EventId]) -> set[EventId]:
    """Write the ids down and return those that this consumer has not seen before.

    The primary key decides, not this code: of two transactions that record the same id, the second waits for the first and
    then finds the id taken.
    """
    rows = await tx.execute(_RECORD, {"consumer": consumer, "event_ids": sorted(set(event_ids))})
    return {EventId(row.event_id) for row in rows}


async def prune_inbox(tx: Transaction, consumer: str, before: UUID, limit: int = 5_000) -> int:
    """Forget ids older than ``before``: event ids are UUIDv7, so their order is the order of their making."""
    result = await tx.execute(_PRUNE, {"consumer": consumer, "before": before, "limit": limit})
    return result.rowcount
